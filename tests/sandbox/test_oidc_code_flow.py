"""The code flow as the product's client runs it, and its refusals."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from soulseer.sandbox.oidc import codes
from soulseer.sandbox.oidc.settings import ProviderSettings
from soulseer.sandbox.people import DEMO_PEOPLE
from tests.sandbox.conftest import PRODUCT

CALLBACK = f"{PRODUCT}/callback"
VERIFIER = "v" * 64


def session_for(
    provider: ProviderSettings, method: str = "client_secret_basic", **changes: str
) -> OAuth2Session:
    options = {
        "scope": "openid profile email",
        "redirect_uri": CALLBACK,
        "code_challenge_method": "S256",
        **changes,
    }
    return OAuth2Session(
        provider.client_id, provider.client_secret, token_endpoint_auth_method=method, **options
    )


def authorization_url(provider: ProviderSettings, session: OAuth2Session, **extra: str) -> str:
    options = {"nonce": "n-1", "state": "s-1", "code_verifier": VERIFIER, **extra}
    return session.create_authorization_url(f"{provider.issuer}/authorize", **options)[0]


def choose(url: str, **form: str) -> requests.Response:
    return requests.post(url, data=form, allow_redirects=False, timeout=5)


def granted_code(
    provider: ProviderSettings, session: OAuth2Session, email: str = "client@demo.test", **extra
) -> str:
    answer = choose(authorization_url(provider, session, **extra), email=email)
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def exchange(provider: ProviderSettings, session: OAuth2Session, code: str, **changes: str) -> dict:
    options = {"code_verifier": VERIFIER, **changes}
    return session.fetch_token(f"{provider.issuer}/token", code=code, **options)


def refusal(provider: ProviderSettings, **form: str) -> tuple[int, str]:
    body = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER, **form}
    answer = requests.post(
        f"{provider.issuer}/token", data=body, auth=("product", "s3cret%2Fwith%2Bsigns"), timeout=5
    )
    return answer.status_code, answer.json()["error"]


def keys_of(provider: ProviderSettings) -> KeySet:
    document = requests.get(f"{provider.issuer}/.well-known/openid-configuration", timeout=5).json()
    assert document["issuer"] == provider.issuer
    return KeySet.import_key_set(requests.get(document["jwks_uri"], timeout=5).json())


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_sign_in_yields_tokens_that_verify(provider, method) -> None:
    session = session_for(provider, method)
    token = exchange(provider, session, granted_code(provider, session))
    keys = keys_of(provider)
    identity = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
    assert identity["iss"] == provider.issuer
    assert identity["aud"] == provider.client_id
    assert identity["sub"] == "demo|client@demo.test"
    assert identity["nonce"] == "n-1"
    assert identity["amr"] == ["pwd", "mfa"]
    assert identity["iat"] - 5 <= identity["auth_time"] <= identity["iat"]
    assert identity["email"] == "client@demo.test"
    assert identity["email_verified"] is True
    assert identity["name"] == "Clara Client"
    access = jwt.decode(token["access_token"], keys, algorithms=["RS256"]).claims
    assert (access["iss"], access["aud"]) == (provider.issuer, provider.audience)
    assert (access["sub"], access["email"]) == ("demo|client@demo.test", "client@demo.test")
    assert access["exp"] - access["iat"] == token["expires_in"] == 3600
    assert access["scope"] == "openid profile email"
    about = session.get(f"{provider.issuer}/userinfo").json()
    assert about["sub"] == identity["sub"]


def test_state_comes_back_and_any_address_may_sign_in(provider) -> None:
    session = session_for(provider)
    answer = choose(authorization_url(provider, session), other_email=" C1@Demo.Test ")
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == ["s-1"]
    token = exchange(provider, session, query["code"][0])
    assert (
        jwt.decode(token["access_token"], keys_of(provider), algorithms=["RS256"]).claims["sub"]
        == "demo|c1@demo.test"
    )


def test_the_page_lists_every_demo_person_and_prefills_the_hint(provider) -> None:
    session = session_for(provider)
    page = requests.get(authorization_url(provider, session, login_hint="someone@demo.test"), timeout=5).text
    for person in DEMO_PEOPLE:
        assert f'value="{person.email}"' in page
        assert all(f">{role}<" in page for role in person.roles)
    assert re.search(r'name="other_email"[^>]*value="someone@demo.test"', page)
    page = requests.get(authorization_url(provider, session, login_hint="reader@demo.test"), timeout=5).text
    assert re.search(r'value="reader@demo.test" autofocus', page)


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b", "a b@demo.test", "<script>@demo.test", "é@demo.test", "a" * 300 + "@demo.test"],
)
def test_a_malformed_address_is_asked_again(provider, address) -> None:
    answer = choose(authorization_url(provider, session_for(provider)), other_email=address)
    assert answer.status_code == 422
    assert "whole email address" in answer.text
    assert "<script>@" not in answer.text


def test_prompt_none_and_cancel_come_back_as_errors(provider) -> None:
    session = session_for(provider)
    silent = requests.get(
        authorization_url(provider, session, prompt="none"), allow_redirects=False, timeout=5
    )
    assert "error=login_required" in silent.headers["Location"]
    assert "state=s-1" in silent.headers["Location"]
    cancelled = choose(authorization_url(provider, session), decision="cancel")
    assert "error=access_denied" in cancelled.headers["Location"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8001/callback",
        "https://127.0.0.1:8000/callback",
        "http://evil.test/callback",
        "http://127.0.0.1:8000@evil.test/callback",
        "http://127.0.0.1:8000.evil.test/callback",
        "http://user@127.0.0.1:8000/callback",
        "http://127.0.0.1:8000\\@evil.test/",
        "http://127.0.0.1:8000/callback#part",
        "javascript:alert(1)",
        'http://evil.test/"é',
        "http://[::1/callback",
    ],
)
def test_a_foreign_redirect_uri_is_never_followed(provider, url) -> None:
    session = session_for(provider, redirect_uri=url)
    for answer in (
        requests.get(authorization_url(provider, session), allow_redirects=False, timeout=5),
        choose(authorization_url(provider, session), email="client@demo.test"),
    ):
        assert answer.status_code == 400
        assert "Location" not in answer.headers


def test_both_spellings_of_the_loopback_are_accepted(provider) -> None:
    session = session_for(provider, redirect_uri="http://localhost:8000/callback")
    assert exchange(provider, session, granted_code(provider, session))["id_token"]


def test_pkce_is_required_and_only_s256(provider) -> None:
    base = authorization_url(provider, session_for(provider), code_verifier="")
    assert "code_challenge=" not in base
    for suffix in (
        "",
        f"&code_challenge={VERIFIER}",
        f"&code_challenge={VERIFIER}&code_challenge_method=plain",
    ):
        answer = choose(base + suffix, email="client@demo.test")
        assert "error=invalid_request" in answer.headers["Location"]
        assert "code=" not in answer.headers["Location"].replace("code_challenge", "")


def test_a_wrong_verifier_is_refused_and_spends_the_code(provider) -> None:
    code = granted_code(provider, session_for(provider))
    assert refusal(provider, code=code, code_verifier="w" * 64) == (400, "invalid_grant")
    assert refusal(provider, code=code) == (400, "invalid_grant")


def test_a_code_works_once(provider) -> None:
    session = session_for(provider)
    code = granted_code(provider, session)
    assert exchange(provider, session, code)["access_token"]
    assert refusal(provider, code=code) == (400, "invalid_grant")


def test_a_code_lives_for_a_minute(provider, monkeypatch) -> None:
    assert codes.LIFETIME_SECONDS == 60
    monkeypatch.setattr("soulseer.sandbox.oidc.server.LIFETIME_SECONDS", -1)
    assert refusal(provider, code=granted_code(provider, session_for(provider))) == (400, "invalid_grant")


def test_another_redirect_uri_at_the_exchange_is_refused(provider) -> None:
    code = granted_code(provider, session_for(provider))
    assert refusal(provider, code=code, redirect_uri=f"{PRODUCT}/other") == (400, "invalid_grant")


def test_a_wrong_client_secret_is_refused(provider) -> None:
    code = granted_code(provider, session_for(provider))
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    answer = requests.post(f"{provider.issuer}/token", data=form, auth=("product", "wrong"), timeout=5)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_logout_returns_to_the_product_and_nowhere_else(provider) -> None:
    logout = f"{provider.issuer}/logout"
    session = session_for(provider)
    token = exchange(provider, session, granted_code(provider, session))
    home = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": f"{PRODUCT}/", "state": "x"}
    assert (
        requests.get(logout, params=home, allow_redirects=False, timeout=5).headers["Location"]
        == f"{PRODUCT}/?state=x"
    )
    by_client = {"client_id": provider.client_id, "post_logout_redirect_uri": PRODUCT}
    assert (
        requests.get(logout, params=by_client, allow_redirects=False, timeout=5).headers["Location"]
        == PRODUCT
    )
    foreign = {"client_id": provider.client_id, "post_logout_redirect_uri": "http://evil.test/"}
    assert requests.get(logout, params=foreign, allow_redirects=False, timeout=5).status_code == 400
    assert requests.get(logout, params={"id_token_hint": "x.y.z"}, timeout=5).status_code == 400
    assert requests.get(logout, timeout=5).status_code == 200
