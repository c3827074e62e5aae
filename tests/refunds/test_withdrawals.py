"""Unspent cash back to the card it came from, by the client: how much, to which payments, and when not."""

import re
from contextvars import Context
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import IdempotencyMismatch, InvalidInput, NotWithdrawable, SoulSeerError
from soulseer.domain.transfers import TransferKind
from soulseer.models.refunds import Refund, Withdrawal
from soulseer.services import holds, ledger, withdrawals
from tests.admin.conftest import Browser, sign_in
from tests.factories import fund, person, reader
from tests.money_in.conftest import Sandbox, in_threads
from tests.readers.sessions import over, waiting
from tests.refunds.steps import (
    TOP_UP,
    Source,
    asked,
    at_stripe,
    clean,
    dollars,
    paid,
    sent,
    switch,
    top_up,
    wallet,
)


def withdraw(person_id: int, amount: str, key: str | None = None) -> int:
    with transaction():
        return withdrawals.withdraw(person_id, dollars(amount), clock.now(), key=key).id


def most(person_id: int) -> Decimal:
    with transaction():
        return withdrawals.possible(person_id).most


def test_the_newest_payments_first(sandbox: Sandbox, client_id: int) -> None:
    old, middle, new = (paid(sandbox, client_id, amount) for amount in ("10.00", "20.00", "30.00"))
    made = withdraw(client_id, "45.00")
    with transaction():
        parts = db.session.scalars(select(Refund).order_by(Refund.id)).all()
    assert [(part.top_up_id, part.amount) for part in parts] == [
        (new.id, dollars("30.00")),
        (middle.id, dollars("15.00")),
    ]
    assert {part.withdrawal_id for part in parts} == {made}
    assert wallet(client_id) == dollars("15.00")
    assert sent() == {"settled": 2}
    assert sorted(found["amount"] for found in at_stripe(sandbox)) == [1500, 3000]
    assert top_up(old.id).refunded_amount == 0
    withdraw(client_id, "15.00")
    assert sent() == {"settled": 2}
    assert most(client_id) == 0
    with pytest.raises(NotWithdrawable, match="nothing in your wallet"):
        withdraw(client_id, "0.01")
    clean()


def test_only_what_came_from_a_card(sandbox: Sandbox, client_id: int) -> None:
    paid(sandbox, client_id, "10.00")
    with transaction():
        fund(client_id, "40.00", clock.now())
    assert (wallet(client_id), most(client_id)) == (dollars("50.00"), dollars("10.00"))
    for wrong in ("10.01", "0.00", "-5.00", "50.00"):
        with pytest.raises(InvalidInput):
            withdraw(client_id, wrong)
    assert at_stripe(sandbox) == []


def test_only_what_is_not_spent(sandbox: Sandbox, client_id: int) -> None:
    paid(sandbox, client_id, "30.00")
    with transaction():
        ledger.post(
            TransferKind.GIFT,
            "gift:1",
            [
                ledger.Posting(ledger.account_id(A.CLIENT_WALLET, client_id), Decimal("-12.00")),
                ledger.Posting(ledger.account_id(A.PLATFORM_REVENUE), Decimal("12.00")),
            ],
            clock.now(),
        )
    assert most(client_id) == dollars("18.00")


def test_promotional_credit_is_not_paid_out(sandbox: Sandbox, client_id: int) -> None:
    paid(sandbox, client_id, "10.00")
    with transaction():
        ledger.open_accounts(client_id, [A.CLIENT_PROMOTIONAL_CREDIT], clock.now())
        ledger.post(
            TransferKind.PROMOTION,
            "test:credit",
            [
                ledger.Posting(ledger.account_id(A.PLATFORM_PROMOTIONS), Decimal("-20.00")),
                ledger.Posting(ledger.account_id(A.CLIENT_PROMOTIONAL_CREDIT, client_id), Decimal("20.00")),
            ],
            clock.now(),
        )
    assert most(client_id) == dollars("10.00")


def test_the_same_key_is_one_withdrawal(sandbox: Sandbox, app, client_id: int) -> None:
    paid(sandbox, client_id, "30.00")
    made = in_threads(app, 10, lambda _: withdraw(client_id, "5.00", key="k"))
    assert len(set(made)) == 1
    assert wallet(client_id) == dollars("25.00")
    with pytest.raises(IdempotencyMismatch):
        withdraw(client_id, "6.00", key="k")


def test_twenty_at_once(sandbox: Sandbox, app, client_id: int) -> None:
    for _ in range(2):
        paid(sandbox, client_id, "10.00")

    def one(_number: int) -> str:
        try:
            withdraw(client_id, "3.00")
            return "done"
        except SoulSeerError as error:
            return error.code

    results = in_threads(app, 20, one)
    assert results.count("done") == 6
    assert set(results) == {"done", "invalid_input"}
    sent()
    assert sum(found["amount"] for found in at_stripe(sandbox)) == 1800
    clean()


def test_together_with_a_refund_by_support(sandbox: Sandbox, app, client_id: int) -> None:
    made, support = paid(sandbox, client_id, "10.00"), person("support").id

    def one(number: int) -> str:
        try:
            if number:
                withdraw(client_id, "8.00")
            else:
                asked(Source(TOP_UP, made.id), "8.00", support)
            return "done"
        except SoulSeerError:
            return "refused"

    assert sorted(in_threads(app, 2, one)) == ["done", "refused"]
    sent()
    assert len(at_stripe(sandbox)) == 1
    clean()


def test_not_during_a_reading_nor_while_frozen_nor_owing(sandbox: Sandbox, client_id: int) -> None:
    paid(sandbox, client_id, "10.00")
    room = waiting(client_id, reader().person_id)
    with pytest.raises(NotWithdrawable, match="reading is under way"):
        withdraw(client_id, "1.00")
    over(room)
    with transaction():
        holds.place(client_id, "dispute", "Your account is being looked at.", clock.now())
    with pytest.raises(NotWithdrawable, match="being looked at"):
        withdraw(client_id, "1.00")
    with transaction():
        holds.lift(client_id, "dispute", clock.now())
        ledger.open_accounts(client_id, [A.CLIENT_RECEIVABLE], clock.now())
        ledger.post(
            TransferKind.CHARGEBACK,
            "test:owed",
            [
                ledger.Posting(ledger.account_id(A.CLIENT_RECEIVABLE, client_id), Decimal("-8.00")),
                ledger.Posting(ledger.account_id(A.STRIPE_CLEARING), Decimal("8.00")),
            ],
            clock.now(),
        )
    with pytest.raises(NotWithdrawable, match="owed"):
        withdraw(client_id, "1.00")
    assert wallet(client_id) == dollars("10.00")
    with transaction():
        assert db.session.scalars(select(Withdrawal)).all() == []


# Over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(migrated_app, client_id: int) -> Browser:
    return Browser(sign_in(migrated_app, client_id), client_id)


def test_the_page_from_amount_to_state(sandbox: Sandbox, browser: Browser, client_id: int) -> None:
    paid(sandbox, client_id, "25.00")
    empty = browser.get("/wallet/refunds/")
    assert "No refunds yet" in empty.text
    assert "$25.00" in empty.text
    looked = browser.get("/wallet/refunds/?amount=10")
    assert "Send back $10.00" in looked.text
    assert "$15.00" in looked.text
    key = re.search(r'name="request_key" value="([^"]+)"', looked.text)
    assert key
    token = browser.token("/wallet/refunds/")
    for _ in range(2):
        answer = browser.post("/wallet/refunds/", token, amount="10.00", request_key=key[1])
        assert answer.status_code == 303
    assert wallet(client_id) == dollars("15.00")
    assert "handed to Stripe" in browser.get("/wallet/refunds/").text
    switch(sandbox, "", pending=True)
    assert sent() == {"sent": 1}
    assert "has not confirmed it yet" in browser.get("/wallet/refunds/").text
    sandbox.faults(drop_webhooks=10)
    switch(sandbox, f"/{at_stripe(sandbox)[0]['id']}/fail")
    assert sent(timedelta(hours=1)) == {"failed": 1}
    assert "sent the money back" in browser.get("/wallet/refunds/").text
    assert wallet(client_id) == dollars("25.00")


@pytest.mark.parametrize(
    "amount", ["", "0", "-1", "25.01", "1e2", "nan", "1.001", "٣", "99999999999999999999"]
)
def test_the_page_refuses_odd_amounts(
    sandbox: Sandbox, browser: Browser, client_id: int, amount: str
) -> None:
    paid(sandbox, client_id, "25.00")
    token = browser.token("/wallet/refunds/")
    answer = browser.post("/wallet/refunds/", token, amount=amount, request_key="12345678-form")
    assert answer.status_code == 422
    assert wallet(client_id) == dollars("25.00")
    if amount:
        assert browser.get("/wallet/refunds/", query_string={"amount": amount}).status_code == 422


def test_the_page_takes_eight_statements(
    sandbox: Sandbox, browser: Browser, client_id: int, statements
) -> None:
    for _ in range(3):
        paid(sandbox, client_id, "5.00")
    withdraw(client_id, "7.00")
    for path in ("/wallet/refunds/", "/wallet/refunds/?amount=2.00"):
        browser.get(path)
        statements.clear()
        assert browser.get(path).status_code == 200
        assert len(statements) <= 8, statements


def api(browser: Browser, method: str, key: str | None = None, **options):
    headers = {"X-CSRFToken": browser.token("/wallet/refunds/"), **({"Idempotency-Key": key} if key else {})}
    call = browser.client.get if method == "GET" else browser.client.post
    return Context().run(call, "/api/wallet/withdrawals/", headers=headers, **options)


def test_the_api(sandbox: Sandbox, browser: Browser, client_id: int) -> None:
    paid(sandbox, client_id, "25.00")
    first = api(browser, "POST", "one", json={"amount": "10.00"})
    assert first.status_code == 201
    body = first.get_json()
    assert (body["amount"], body["currency"]) == ("10.00", "USD")
    assert [(part["amount"], part["state"]) for part in body["refunds"]] == [("10.00", "approved")]
    assert api(browser, "POST", "one", json={"amount": "10.00"}).get_json() == body
    other = api(browser, "POST", "one", json={"amount": "11.00"})
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_mismatch")
    above = api(browser, "POST", "two", json={"amount": "15.01"})
    assert (above.status_code, above.content_type) == (422, "application/problem+json")
    # A refused request leaves its key free.
    assert api(browser, "POST", "two", json={"amount": "15.00"}).status_code == 201
    nothing = api(browser, "POST", "three", json={"amount": "1.00"})
    assert (nothing.status_code, nothing.get_json()["code"]) == (409, "not_withdrawable")
    listed = api(browser, "GET", query_string={"limit": "1"}).get_json()
    assert [item["amount"] for item in listed["items"]] == ["15.00"]
    assert listed["next"]
    assert wallet(client_id) == 0


def test_nobody_sees_anothers(sandbox: Sandbox, browser: Browser, client_id: int, migrated_app) -> None:
    paid(sandbox, client_id, "25.00")
    withdraw(client_id, "25.00")
    other = person().id
    stranger = Browser(sign_in(migrated_app, other), other)
    assert "No refunds yet" in stranger.get("/wallet/refunds/").text
    assert api(stranger, "GET").get_json()["items"] == []
