"""Rate limits: per person, else per address; with Redis away, requests pass."""

import time

import pytest
from flask import Flask

from soulseer.blueprints.limits import LIMITS
from soulseer.sandbox.embedded import EmbeddedValkey
from tests.doors.probes import add_probes
from tests.doors.test_errors import another_app
from tests.identity.site import running_site


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    with EmbeddedValkey(tmp_path_factory.mktemp("limits")) as server:
        yield server


@pytest.fixture(scope="module")
def served(migrated_app: Flask, valkey, tmp_path_factory):
    directory = tmp_path_factory.mktemp("issuer")
    with running_site(directory, extend=add_probes, rate_limits=True, redis_url=valkey.url(0)) as site:
        yield site


@pytest.fixture
def limited(served, empty):
    served.app.extensions["rate_limiter"].reset()
    return served


def amount(name: str) -> int:
    return int(LIMITS[name].split()[0])


def statuses(client, path: str, count: int, **options) -> list[int]:
    return [client.open(path, **options).status_code for _ in range(count)]


def test_signing_in_is_limited_per_address_with_a_page_and_retry_after(limited) -> None:
    client = limited.app.test_client()
    allowed = amount("sign-in")
    assert statuses(client, "/login", allowed) == [302] * allowed
    refused = client.get("/login")
    assert refused.status_code == 429
    assert refused.mimetype == "text/html"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    # The callback counts in the same class; pages do not count at all, and another address is another caller.
    assert client.get("/callback").status_code == 429
    assert client.get("/docs").status_code == 200
    assert client.get("/login", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 302


def test_money_posts_are_limited_per_person_and_not_the_rest_of_the_api(limited) -> None:
    client = limited.app.test_client()
    one, two = (
        {"Authorization": f"Bearer {limited.issuer.token(p)}"} for p in ("client@demo.test", "c2@demo.test")
    )
    options = {"method": "POST", "json": {"amount": "5.00"}}
    allowed = amount("money")
    assert statuses(client, "/api/probe/deeds/", allowed, headers=one, **options) == [201] * allowed
    refused = client.post("/api/probe/deeds/", headers=one, json={"amount": "5.00"})
    assert (refused.status_code, refused.get_json()["code"]) == (429, "rate_limited")
    assert refused.mimetype == "application/problem+json"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert client.post("/api/probe/deeds/", headers=two, json={"amount": "5.00"}).status_code == 201
    assert client.get("/api/me/", headers=one).status_code == 200


def test_polls_have_a_limit_of_their_own(limited) -> None:
    client = limited.app.test_client()
    headers = {"Authorization": f"Bearer {limited.issuer.token()}"}
    allowed = amount("poll")
    assert set(statuses(client, "/api/probe/nothing/", allowed, headers=headers)) == {200}
    assert client.get("/api/probe/nothing/", headers=headers).status_code == 429
    assert client.get("/api/me/", headers=headers).status_code == 200


def test_bad_tokens_count_for_their_address(limited) -> None:
    client = limited.app.test_client()
    allowed = amount("api")
    bad = {"Authorization": "Bearer x"}
    assert set(statuses(client, "/api/me/", allowed, headers=bad)) == {401}
    assert client.get("/api/me/", headers=bad).status_code == 429
    good = {"Authorization": f"Bearer {limited.issuer.token()}"}
    assert client.get("/api/me/", headers=good).status_code == 200


def test_with_redis_away_requests_pass_and_with_it_back_limits_hold(limited, valkey) -> None:
    client = limited.app.test_client()
    valkey.stop()
    try:
        assert statuses(client, "/login", 40) == [302] * 40
        headers = {"Authorization": f"Bearer {limited.issuer.token()}"}
        assert statuses(client, "/api/me/", 20, headers=headers) == [200] * 20
    finally:
        valkey.start()
    give_up_at = time.monotonic() + 60
    while client.get("/login").status_code != 429:
        assert time.monotonic() < give_up_at, "the limits never came back"
        time.sleep(0.02)


def test_rate_limits_false_switches_them_off(environment) -> None:
    # Its issuer is away, so that each sign-in ends in 503; none in 429.
    with another_app() as app:
        assert set(statuses(app.test_client(), "/login", amount("sign-in") + 5)) == {503}
