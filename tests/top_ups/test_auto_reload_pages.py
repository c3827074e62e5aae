"""The page of automatic top-ups over real HTTP."""

import re
from decimal import Decimal

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select, text

from soulseer.db import db, transaction
from soulseer.models.auto_reload import RetiredCard
from tests import factories
from tests.money_in.browser import Browser, signed_in
from tests.money_in.conftest import Sandbox
from tests.money_in.events import top_up, wait_for, wallet_of, work
from tests.top_ups.reloading import run, save_card, settings, spend

PAGE = "/wallet/auto-reload/"
TYPED = {"threshold": "10.00", "amount": "25.00", "monthly_cap": "100.00", "agreed": "1"}


@pytest.fixture
def person_id(app: Flask, sandbox: Sandbox) -> int:
    return factories.person(handle="seeker").id


@pytest.fixture
def browser(app: Flask, sandbox: Sandbox, person_id: int) -> Browser:
    return signed_in(app, sandbox, person_id)


def send(browser: Browser, path: str, fields: dict[str, str]) -> requests.Response:
    return browser.post(path, {"csrf_token": browser.fields()["csrf_token"], **fields})


def test_from_a_first_top_up_to_an_automatic_one(sandbox: Sandbox, browser: Browser, person_id: int) -> None:
    assert PAGE in browser.get("/wallet/").text
    page = browser.get(PAGE).text
    assert "First, save a card" in page
    assert "Off" in page
    key = re.search(r'name="request_key" value="([^"]+)"', page)
    assert key is not None
    form = {"amount": "10.00", "save_card": "1", "request_key": key[1], "return_path": PAGE}
    first, second = send(browser, "/wallet/top-up/", form), send(browser, "/wallet/top-up/", form)
    assert first.headers["Location"] == second.headers["Location"] == sandbox.checkouts()[0]["url"]
    assert sandbox.checkouts()[0]["payment_method_options"] == {"card": {"setup_future_usage": "off_session"}}
    assert top_up(1).card_consent_at is not None

    sandbox.pay(sandbox.checkouts()[0]["id"])
    wait_for(lambda: work() is not None and wallet_of(person_id) == 10)
    assert browser.get("/wallet/top-up/1/?from=checkout").headers["Location"] == PAGE
    page = browser.get(PAGE).text
    assert "Visa ending in 4242" in page
    assert "Switch on" in page

    for _ in range(2):
        assert send(browser, PAGE, TYPED).status_code == 303
    assert "Automatic top-ups are on." in browser.get(PAGE).text
    spend(person_id, Decimal("5.00"))
    assert run() == {"credited": 1}
    assert "$25.00 of $100.00" in browser.get(PAGE).text
    wallet = browser.get("/wallet/").text
    assert "Automatic top-up" in wallet.replace("Automatic top-ups", "")
    assert "automatic, " in wallet


def test_the_same_form_with_and_without_the_tick_is_two_top_ups(sandbox: Sandbox, browser: Browser) -> None:
    form = {"amount": "10.00", "request_key": "12345678", "return_path": "/wallet/"}
    send(browser, "/wallet/top-up/", form)
    send(browser, "/wallet/top-up/", {**form, "save_card": "1"})
    assert [checkout["payment_method_options"] for checkout in sandbox.checkouts()] == [
        {"card": {"setup_future_usage": "off_session"}},
        {},
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"threshold": "x"}, "threshold"),
        ({"threshold": ""}, "threshold"),
        ({"threshold": "0.50"}, "threshold"),
        ({"amount": "5.001"}, "amount"),
        ({"amount": "9.99"}, "amount"),
        ({"monthly_cap": "1e9"}, "monthly_cap"),
        ({"monthly_cap": "10"}, "monthly_cap"),
        ({"agreed": ""}, "agreed"),
        ({"agreed": "0"}, "agreed"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field(
    sandbox: Sandbox, browser: Browser, person_id: int, changes: dict, field: str
) -> None:
    save_card(sandbox, person_id)
    answer = send(browser, PAGE, {**TYPED, **changes})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    if field != "agreed":
        assert f'value="{changes[field]}"' in answer.text
    with transaction():
        assert db.session.scalar(text("SELECT count(*) FROM auto_reload")) == 0


def test_without_a_card_nothing_is_switched_on(sandbox: Sandbox, browser: Browser) -> None:
    answer = send(browser, PAGE, TYPED)
    assert answer.status_code == 422
    assert "Save a card first" in answer.text


def test_off_and_without_the_card_by_as_many_clicks_as_one_likes(
    sandbox: Sandbox, browser: Browser, person_id: int
) -> None:
    save_card(sandbox, person_id)
    send(browser, PAGE, TYPED)
    for _ in range(2):
        assert send(browser, f"{PAGE}off/", {}).status_code == 303
    assert (settings(person_id).enabled, settings(person_id).off_reason) == (False, "person")
    for _ in range(2):
        assert send(browser, f"{PAGE}card/remove/", {}).status_code == 303
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(RetiredCard)) == 1
    assert "First, save a card" in browser.get(PAGE).text
    spend(person_id, Decimal("10.00"))
    assert "credited" not in run()


def test_it_is_ones_own(sandbox: Sandbox, app: Flask, person_id: int) -> None:
    save_card(sandbox, person_id)
    other = signed_in(app, sandbox, factories.person(handle="other").id)
    assert "4242" not in other.get(PAGE).text
    send(other, f"{PAGE}card/remove/", {})
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(RetiredCard)) == 0


def test_a_page_asks_little(
    sandbox: Sandbox, browser: Browser, person_id: int, statements: list[str]
) -> None:
    save_card(sandbox, person_id)
    send(browser, PAGE, TYPED)
    statements.clear()
    assert browser.get(PAGE).status_code == 200
    assert len(statements) <= 5
