"""Errors in the caller's form: pages, fragments, problem+json; nothing leaks and nothing is swallowed."""

from contextlib import contextmanager

import pytest
from flask import got_request_exception

from config.settings import load_settings
from soulseer import gateways
from soulseer.app import create_app
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import SoulSeerError

BEARER = {"Authorization": "Bearer {}"}


def bearer(site, **claims) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.issuer.token(**claims)}"}


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/api/nope/", "GET", 404, "not_found"),
        ("/api/me/", "PATCH", 405, "method_not_allowed"),
        ("/api/sessions/99999999999999999999/", "GET", 404, "not_found"),
        ("/api/sessions/" + "9" * 5000 + "/", "GET", 404, "not_found"),
        ("/api/sessions/9223372036854775807/", "GET", 404, "not_found"),
        ("/api/sessions/9223372036854775808/", "GET", 404, "not_found"),
        ("/api/sessions/%EF%BC%91/", "GET", 404, "not_found"),
        ("/api/sessions/-1/", "GET", 404, "not_found"),
        ("/api/sessions/%00/", "GET", 404, "not_found"),
        ("/api/%ff%fe/", "GET", 404, "not_found"),
        ("/api/probe/fail/funds/", "GET", 402, "insufficient_funds"),
        ("/api/probe/fail/conflict/", "GET", 409, "illegal_move"),
        ("/api/probe/fail/boom/", "GET", 500, "internal_error"),
        ("/api/probe/fail/books/", "GET", 500, "transfer_not_allowed"),
        ("/api/probe/nested/", "GET", 500, "internal_error"),
    ],
)
def test_programs_get_problem_json_with_a_stable_code(site, visitor, path, method, status, code) -> None:
    answer = visitor.open(path, method=method, headers=bearer(site))
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"/docs#error-{code}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "hunter2" not in answer.text
    assert "person 12" not in answer.text


def test_extra_members_are_told(site, visitor) -> None:
    body = visitor.get("/api/probe/fail/funds/", headers=bearer(site)).get_json()
    assert (body["missing"], body["currency"]) == ("1.99", "USD")
    body = visitor.get("/api/probe/fail/conflict/", headers=bearer(site)).get_json()
    assert body["state"] == "ended"
    assert visitor.patch("/api/me/", headers=bearer(site)).headers["Allow"]


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [("application/json", True), ("application/problem+json", True), ("text/html", False), ("*/*", False), ("", False),
     ("text/html;q=0.5, application/json", True), ("text/html,application/xhtml+xml,*/*;q=0.8", False)],
)  # fmt: skip
def test_callers_that_ask_for_json_get_it(visitor, accept, is_json) -> None:
    answer = visitor.get("/nope", headers={"Accept": accept} if accept else {})
    assert answer.status_code == 404
    assert (answer.mimetype == "application/problem+json") is is_json


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nope", 404, "Nothing under this star"),
        ("/probe/fail/funds/", 402, "not enough money"),
        ("/probe/fail/conflict/", 409, "Not now."),
        ("/probe/fail/boom/", 500, "Something broke on our side"),
        ("/probe/row/9223372036854775808/", 404, "Nothing under this star"),
        ("/probe/row/%00/", 404, "Nothing under this star"),
        ("/readers/a%00b/", 404, "Nothing under this star"),
        ("/readers/browse/?search=a%00b", 422, "cannot be stored"),
    ],
)
def test_people_get_a_page_in_words(signed_in, path, status, words) -> None:
    answer = signed_in().get(path)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert words in answer.text
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


def test_a_bigint_is_still_an_address(signed_in) -> None:
    assert signed_in().get("/probe/row/9223372036854775807/").text == "9223372036854775807"


def test_strangers_are_led_to_the_sign_in_and_back(visitor) -> None:
    answer = visitor.get("/probe/row/7/?a=b&c=d")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login?next=/probe/row/7/?a%3Db%26c%3Dd"
    asked = visitor.get("/probe/row/7/", headers={"Accept": "application/json"})
    assert (asked.status_code, asked.get_json()["code"]) == (401, "not_signed_in")


def test_htmx_gets_a_fragment_and_strangers_a_redirect_it_follows(visitor, signed_in) -> None:
    fragment = signed_in().get("/probe/fail/conflict/", headers={"HX-Request": "true"})
    assert fragment.status_code == 409
    assert "Not now." in fragment.text
    assert "<html" not in fragment.text
    stranger = visitor.get("/probe/fail/conflict/", headers={"HX-Request": "true"})
    assert stranger.status_code == 401
    assert stranger.headers["HX-Redirect"] == "/login"


def test_what_breaks_is_logged_with_its_traceback_and_reported(site, signed_in, caplog) -> None:
    reported = []

    def report(_sender, exception, **_extra) -> None:
        reported.append(exception)

    client = signed_in()
    with got_request_exception.connected_to(report, site.app):
        client.get("/probe/fail/boom/")
        client.get("/probe/fail/conflict/")
    assert [type(error) for error in reported] == [RuntimeError]
    assert "hunter2" in caplog.text
    assert "request_broke" in caplog.text


def test_the_database_away_is_503_with_retry_after(site, signed_in) -> None:
    client = signed_in()
    for headers, mimetype in (
        ({}, "text/html"),
        ({"Accept": "application/json"}, "application/problem+json"),
    ):
        answer = client.get("/probe/sql/away/", headers=headers)
        assert (answer.status_code, answer.mimetype) == (503, mimetype)
        assert answer.headers["Retry-After"]
    assert client.get("/probe/sql/busy/").status_code == 503
    assert client.get("/probe/row/1/").status_code == 200


def test_a_value_the_database_cannot_take_is_422_and_logged(signed_in, caplog) -> None:
    assert signed_in().get("/probe/sql/data/").status_code == 422
    assert "value_refused_by_database" in caplog.text


@contextmanager
def another_app(**overrides):
    before = gateways._current, policies._current
    app = create_app(load_settings(rate_limits=False, **overrides))
    try:
        yield app
    finally:
        with app.app_context():
            db.engine.dispose()
        gateways._current, policies._current = before


def test_with_no_database_at_all_every_page_still_answers(environment) -> None:
    with another_app(database_url="postgresql://soulseer@127.0.0.1:9/none") as app:
        client = app.test_client()
        with client.session_transaction() as session:
            session["_user_id"] = "00000000-0000-4000-8000-000000000000"
        for path in ("/wallet/", "/", "/readers/browse/"):
            answer = client.get(path)
            assert answer.status_code == 503, path
            assert "reach its database" in answer.text
        assert client.get("/api/me/").get_json()["code"] == "database_unavailable"
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503


def test_a_host_that_is_not_ours_is_400(environment) -> None:
    with another_app(allowed_hosts=("soulseer.test",)) as app:
        client = app.test_client()
        assert client.get("/login", headers={"Host": "evil.test"}).status_code == 400
        answer = client.get("/api/me/", headers={"Host": "evil.test"})
        assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
        assert client.get("/api/me/", headers={"Host": "soulseer.test"}).status_code == 401


def test_too_much_is_413_in_both_forms(site, signed_in, visitor) -> None:
    large = "x" * (1024 * 1024 + 1)
    answer = visitor.post(
        "/api/probe/orders/", data=large, headers=bearer(site), content_type="application/json"
    )
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")
    assert signed_in().post("/probe/fail/boom/", data={"a": large}).status_code == 413
    assert visitor.post("/login", data={"a": "x"}).status_code == 405


def test_nul_in_a_form_names_its_field(signed_in) -> None:
    answer = signed_in().post(
        "/probe/fail/boom/", data={"note": "a\0b"}, headers={"Accept": "application/json"}
    )
    assert (answer.status_code, answer.get_json()["field"]) == (422, "note")


def test_each_code_of_the_tree_is_one_error_and_documented(visitor) -> None:
    classes = [SoulSeerError]
    for error in classes:
        classes += error.__subclasses__()
    # A refinement may keep the code of what it refines; two different errors never share one.
    own = [error for error in classes if "code" in vars(error)]
    assert len({error.code for error in own}) == len(own)
    page = visitor.get("/docs").text
    assert all(page.count(f'id="error-{error.code}"') == 1 for error in own[1:])
