"""A checkout that is complete and unpaid: on its way, then credited once, or failed and said so."""

import pytest
import requests
from flask import Flask
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.models.mail import MailMessage
from soulseer.models.payments import TopUp
from tests import factories
from tests.money_in.browser import Browser, signed_in
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import alerts, begun, books_balance, postings, top_up, wait_for, wallet_of, work


def pay_by_bank(sandbox: Sandbox, made: TopUp) -> str:
    """The buyer chooses the bank account; the intent's id."""
    answer = requests.post(
        f"{sandbox.stripe}/sandbox/checkout/{made.stripe_checkout_session_id}/pay",
        json={"method": "bank"},
        timeout=5,
    )
    answer.raise_for_status()
    session = answer.json()["session"]
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    return session["payment_intent"]


def decide(sandbox: Sandbox, intent: str, what: str) -> requests.Response:
    return requests.post(f"{sandbox.stripe}/sandbox/payments/{intent}/{what}", timeout=5)


def templates() -> list[str]:
    with transaction():
        return list(db.session.scalars(select(MailMessage.template).order_by(MailMessage.id)))


@pytest.fixture
def browser(app: Flask, sandbox: Sandbox) -> Browser:
    return signed_in(app, sandbox, factories.person(handle="seeker").id)


def test_on_its_way_then_there(sandbox: Sandbox, browser: Browser) -> None:
    browser.top_up("25.00")
    made = top_up(1)
    intent = pay_by_bank(sandbox, made)
    back = "/wallet/top-up/1/?from=checkout"
    assert "Waiting for confirmation" in browser.get(back).text
    wait_for(lambda: sandbox.events("checkout.session.completed"))
    wait_for(lambda: work() != {} or top_up(1).processing_since is not None)
    wait_for(lambda: work() == {})

    assert top_up(1).state == "open"
    poll = browser.get(
        "/wallet/top-up/1/state/?shown=open&from=checkout&tries=1", headers={"HX-Request": "true"}
    )
    assert poll.headers["HX-Refresh"] == "true"
    page = browser.get(back).text
    assert "On its way" in page
    assert "hx-get" not in page
    assert "Cancel this top-up" not in page
    assert "On its way" in browser.get("/wallet/").text
    assert (wallet_of(made.person_id), templates()) == (0, [])

    assert decide(sandbox, intent, "succeed").status_code == 200
    assert decide(sandbox, intent, "succeed").status_code == 400
    wait_for(lambda: sandbox.events("checkout.session.async_payment_succeeded"))
    wait_for(lambda: work() is not None and wallet_of(made.person_id) == 25)
    assert top_up(1).state == "paid"
    assert (top_up(1).stripe_charge_id or "").startswith("py_")
    assert "The money is in your wallet." in browser.get(back).text
    assert templates() == ["top_up_receipt"]
    assert len(postings()) == 1
    assert books_balance()


def test_failed_later_says_so(sandbox: Sandbox, browser: Browser) -> None:
    browser.top_up("25.00")
    intent = pay_by_bank(sandbox, top_up(1))
    wait_for(lambda: work() is not None and top_up(1).processing_since is not None)
    decide(sandbox, intent, "fail")
    wait_for(lambda: work() is not None and top_up(1).state == "failed")
    assert "The payment did not go through" in browser.get("/wallet/top-up/1/").text
    assert templates() == ["top_up_failed"]
    assert (postings(), alerts()) == ([], [])


def test_the_news_in_any_order_and_by_many_workers_is_one_credit(sandbox: Sandbox, app: Flask) -> None:
    person = factories.person()
    made = begun(person.id)
    sandbox.faults(delay_seconds=0.3, duplicate_webhooks=50)
    intent = pay_by_bank(sandbox, made)
    decide(sandbox, intent, "succeed")
    wait_for(lambda: sandbox.events("checkout.session.async_payment_succeeded"))
    wait_for(lambda: any(in_threads(app, 4, lambda _: work())) is not None and wallet_of(person.id) == 25)
    assert len(postings()) == 1
    assert templates() == ["top_up_receipt"]
    assert alerts() == []


@pytest.mark.parametrize("what", ["succeed", "fail"])
def test_no_webhook_at_all_and_the_sweep_finds_it(sandbox: Sandbox, what: str) -> None:
    from datetime import timedelta

    person = factories.person()
    made = begun(person.id)
    sandbox.faults(drop_webhooks=1000)
    intent = pay_by_bank(sandbox, made)
    assert work(later=timedelta(minutes=2)) == {"top_up_waiting": 1}
    assert top_up(made.id).processing_since is not None
    decide(sandbox, intent, what)
    counts = work(later=timedelta(hours=3))
    assert counts == {"top_up_credited" if what == "succeed" else "top_up_failed": 1}


def test_a_declined_bank_payment_is_no_end_of_the_way(sandbox: Sandbox) -> None:
    """The page of the stand-in offers it, and lists what waits."""
    made = begun(factories.person().id)
    page = requests.get(made.checkout_url or "", timeout=5).text
    assert "Pay from a bank account" in page
    answer = requests.post(
        made.checkout_url or "", data={"method": "bank", "card_number": ""}, allow_redirects=False, timeout=5
    )
    assert answer.status_code == 303
    assert "$25.00" in requests.get(f"{sandbox.stripe}/sandbox/payments", timeout=5).text
