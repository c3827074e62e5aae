"""What every answer carries, and what a production insists on."""

import logging
import re

import pytest

from config.settings import REPOSITORY
from tests.doors.test_errors import another_app, bearer


def policy_of(answer) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize(
    "path", ["/", "/nope", "/api/me/", "/healthz", "/login", "/probe/fail/boom/", "/docs"]
)
def test_every_answer_carries_the_security_headers(site, visitor, path) -> None:
    headers = visitor.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "microphone=(self)" in headers["Permissions-Policy"]
    assert "Content-Security-Policy" in headers


def test_the_policy_allows_no_inline_and_forms_only_where_redirects_lead(site, visitor) -> None:
    policy = policy_of(visitor.get("/"))
    assert policy["default-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert policy["connect-src"] == "'self'"
    assert (policy["object-src"], policy["base-uri"], policy["frame-ancestors"]) == ("'none'",) * 3
    assert "unsafe" not in str(policy)
    allowed = policy["form-action"].split()
    assert allowed[0] == "'self'"
    # The stand-in of Stripe is at STRIPE_API_BASE, the issuer at its own address; both as origins.
    assert set(allowed[1:]) == {
        "http://127.0.0.1:9",
        site.issuer.settings.issuer,
        "https://billing.stripe.com",
        "https://checkout.stripe.com",
        "https://connect.stripe.com",
    }


def test_only_a_site_whose_calls_go_by_agora_may_connect_to_it(visitor, environment) -> None:
    for transport, agora in (("agora", True), ("webrtc", False)):
        with another_app(media_transport=transport) as app:
            policy = policy_of(app.test_client().get("/healthz"))
        assert ("wss://*.agora.io:*" in policy["connect-src"].split()) is agora
        assert ("https://*.sd-rtn.com:*" in policy["connect-src"].split()) is agora
        assert policy.get("worker-src") == ("'self' blob:" if agora else None)
        assert "unsafe" not in str(policy)


def test_pages_hold_nothing_that_the_policy_forbids(visitor, signed_in) -> None:
    for client, path in ((visitor, "/docs"), (visitor, "/"), (visitor, "/nope"), (signed_in(), "/docs")):
        text = client.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", text), path


def test_a_nonce_is_in_the_policy_only_where_asked_for(site) -> None:
    from soulseer.blueprints.security import csp_nonce

    with site.app.test_request_context("/"):
        nonce = csp_nonce()
        assert csp_nonce() == nonce
        answer = site.app.process_response(site.app.response_class("x"))
    assert policy_of(answer)["script-src"] == f"'self' 'nonce-{nonce}'"
    with site.app.test_request_context("/"):
        answer = site.app.process_response(site.app.response_class("x"))
    assert "script-src" not in policy_of(answer)


def test_request_ids_are_taken_over_if_sane_else_made(visitor) -> None:
    assert (
        visitor.get("/healthz", headers={"X-Request-Id": "abc-123.DEF_4"}).headers["X-Request-Id"]
        == "abc-123.DEF_4"
    )
    for odd in ("", "short", "a" * 65, "abc def ghi", "abcdefgh;drop", "abcdefgh\u00e9"):
        made = visitor.get("/healthz", headers={"X-Request-Id": odd}).headers["X-Request-Id"]
        assert re.fullmatch(r"[0-9a-f]{16}", made)
    answer = visitor.get("/api/nope/", headers={"X-Request-Id": "abc-123.DEF_4"})
    assert answer.get_json()["request_id"] == "abc-123.DEF_4"


def test_the_access_log_has_a_line_without_the_query(visitor, caplog) -> None:
    with caplog.at_level(logging.INFO):
        visitor.get("/callback?code=secret&state=secret", headers={"X-Request-Id": "abcdefgh"})
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    line = next(line for line in lines if line["event"] == "request")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/callback", 400)
    assert line["request_id"] == "abcdefgh"
    assert line["milliseconds"] >= 0
    assert "secret" not in str(lines)


def test_what_is_personal_is_not_kept(site, visitor, signed_in) -> None:
    assert signed_in().get("/dashboard/").headers["Cache-Control"] == "no-store"
    assert visitor.get("/api/me/", headers=bearer(site)).headers["Cache-Control"] == "no-store"
    assert visitor.get("/").headers["Cache-Control"] != "no-store"


PRODUCTION = {
    "app_env": "production",
    "sandbox": False,
    "app_base_url": "https://soulseer.test",
    "allowed_hosts": ("soulseer.test",),
    "receipt_signing_keys": (f"test:{'k' * 43}",),
    "oidc_issuer": "https://issuer.test/",
    "stripe_api_base": "",
    "database_url": "postgresql://soulseer@127.0.0.1:9/none?sslmode=require",
}


@pytest.fixture(scope="module")
def production(environment):
    with another_app(**PRODUCTION) as app:
        yield app


def test_production_sends_everybody_to_https(production) -> None:
    client = production.test_client()
    plain = client.get("/readers/browse/?search=x&page=2", base_url="http://soulseer.test")
    assert plain.status_code == 308
    assert plain.headers["Location"] == "https://soulseer.test/readers/browse/?search=x&page=2"
    assert client.post("/logout", base_url="http://soulseer.test").status_code == 308
    elsewhere = client.get("//evil.test/x", base_url="http://soulseer.test")
    assert elsewhere.headers.get("Location", "https://soulseer.test/").startswith("https://soulseer.test/")
    for probe in ("/healthz", "/readyz"):
        assert client.get(probe, base_url="http://soulseer.test").status_code in (200, 503)


def test_production_headers_and_cookies(production) -> None:
    client = production.test_client()
    answer = client.get("/docs", base_url="https://soulseer.test")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    leads_to = [f"https://{name}.stripe.com" for name in ("billing", "checkout", "connect")]
    assert policy_of(answer)["form-action"].split() == ["'self'", *leads_to, "https://issuer.test"]
    assert production.config["SESSION_COOKIE_SECURE"] is True
    assert production.config["SESSION_COOKIE_HTTPONLY"] is True
    assert production.config["SESSION_COOKIE_SAMESITE"] == "Lax"


def test_production_addresses_of_static_files_name_their_contents(production) -> None:
    client = production.test_client()
    page = client.get("/docs", base_url="https://soulseer.test").text
    version = (REPOSITORY / "soulseer/static/build/version.txt").read_text()
    address = f"/static/{version}/build/app.css"
    assert address in page
    kept = client.get(address, base_url="https://soulseer.test")
    assert kept.status_code == 200
    assert "immutable" in kept.headers["Cache-Control"]
    before = client.get("/static/0123456789abcdef/build/app.css", base_url="https://soulseer.test")
    assert (before.status_code, before.headers["Location"]) == (302, address)
    assert client.get(f"/static/{version}/../../app.py", base_url="https://soulseer.test").status_code == 404


def test_development_sends_no_hsts(visitor) -> None:
    assert "Strict-Transport-Security" not in visitor.get("/").headers


def test_metrics_in_production_are_for_this_machine_or_the_token(environment) -> None:
    def seen(app, **options) -> int:
        return app.test_client().get("/metrics", base_url="https://soulseer.test", **options).status_code

    elsewhere = {"environ_base": {"REMOTE_ADDR": "203.0.113.7"}}
    with another_app(**PRODUCTION) as app:
        assert seen(app) == 200
        assert seen(app, headers={"X-Forwarded-For": "203.0.113.7"}) == 403
        assert seen(app, **elsewhere) == 403
        assert seen(app, **elsewhere, headers={"Authorization": "Bearer "}) == 403
    with another_app(**PRODUCTION, metrics_token="t0ken-of-metrics") as app:
        assert seen(app, **elsewhere, headers={"Authorization": "Bearer t0ken-of-metrics"}) == 200
        assert seen(app, **elsewhere, headers={"Authorization": "Bearer wrong"}) == 403
        assert seen(app, **elsewhere) == 403


def test_metrics_count_requests_by_endpoint(site, visitor) -> None:
    visitor.get("/healthz")
    visitor.open("/healthz", method="BREW")
    text = visitor.get("/metrics").text
    assert 'soulseer_http_requests_total{endpoint="health.healthz",method="GET",status="200"}' in text
    assert 'method="BREW"' not in text
    assert "soulseer_http_request_seconds_bucket" in text
