"""Walks the URL map: every route authenticates or is listed, every change asks for the CSRF token, every API route is told."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.routing import Rule

from soulseer.blueprints.access import PUBLIC_ENDPOINTS, VENDOR_ENDPOINTS
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.services import logins
from tests import factories

CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


def address_of(rule: Rule) -> str:
    """An address that the rule matches."""
    address = re.sub(r"<int:[^>]+>", "1", rule.rule)
    address = re.sub(r"<uuid:[^>]+>", "00000000-0000-4000-8000-000000000000", address)
    address = re.sub(r"<any\((\w+)[^>]*>", r"\1", address)
    return re.sub(r"<[^>]+>", "x", address)


def calls(app: Flask, *, public: bool) -> Iterator[tuple[Rule, str, str]]:
    """(rule, method, address) of every route that stands, or does not stand, in the list."""
    for rule in app.url_map.iter_rules():
        if (rule.endpoint in PUBLIC_ENDPOINTS) is public:
            for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
                yield rule, method, address_of(rule)


def with_csrf_token(app: Flask, client: FlaskClient) -> dict[str, str]:
    """Headers with a valid token for this client's session."""
    with client.session_transaction() as session:
        session["csrf_token"] = "0" * 40
    return {"X-CSRFToken": URLSafeTimedSerializer(app.secret_key, salt="wtf-csrf-token").dumps("0" * 40)}


def test_every_route_turns_strangers_away_unless_it_is_listed(app, client) -> None:
    headers = with_csrf_token(app, client)
    walked = 0
    for rule, method, address in calls(app, public=False):
        answer = client.open(address, method=method, headers=headers)
        walked += 1
        if rule.rule.startswith("/api/"):
            assert answer.status_code == 401, (method, rule)
            assert "WWW-Authenticate" in answer.headers
        else:
            assert answer.status_code == 302, (method, rule, answer.status_code)
            assert answer.headers["Location"].startswith("/login"), (method, rule)
    assert walked > 25


def test_the_list_of_public_routes_names_routes_that_exist(app) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert sorted(PUBLIC_ENDPOINTS - endpoints) == []
    assert VENDOR_ENDPOINTS <= PUBLIC_ENDPOINTS


def test_public_routes_are_few_and_change_nothing_but_the_vendors_sign_out_and_appeals(app) -> None:
    changing = {rule.endpoint for rule, method, _ in calls(app, public=True) if method in CHANGES}
    assert changing == VENDOR_ENDPOINTS | {"auth.logout", "safety.appeal"}


@pytest.fixture
def somebody(app: Flask) -> FlaskClient:
    """A browser of somebody with every role, without a CSRF token."""
    person = factories.person("client", "reader", "support", "moderator", "finance", "ops", "admin")
    with transaction():
        login_id = logins.start(person.id, clock.now(), id_token=None, address=None, user_agent=None)
    browser = app.test_client()
    with browser.session_transaction() as session:
        session["_user_id"] = str(login_id)
    return browser


def test_every_change_asks_for_the_csrf_token(app, somebody) -> None:
    walked = 0
    for public in (True, False):
        for rule, method, address in calls(app, public=public):
            if method not in CHANGES or rule.endpoint in VENDOR_ENDPOINTS:
                continue
            answer = somebody.open(address, method=method, headers={"Accept": "application/json"})
            assert (answer.status_code, answer.get_json()["code"]) == (400, "csrf_failed"), (method, rule)
            walked += 1
    assert walked > 10


def test_only_vendors_are_exempt_from_csrf(app) -> None:
    csrf = app.extensions["csrf"]
    assert csrf._exempt_views == set()
    assert csrf._exempt_blueprints == set()


def test_every_api_route_is_documented(app) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            assert hasattr(app.view_functions[rule.endpoint], "operation"), rule.endpoint


def test_no_route_takes_a_number_that_the_database_cannot(app) -> None:
    for rule in app.url_map.iter_rules():
        for name, converter in rule._converters.items():
            kind = type(converter).__name__
            assert kind in {"RowId", "UnicodeConverter", "PathConverter", "UUIDConverter", "AnyConverter"}, (
                rule,
                name,
            )
