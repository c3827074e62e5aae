"""Stripe's events about refunds, over the real webhook door: late, doubled, before their payment, of refunds not ours."""

import json
import time
from datetime import timedelta
from decimal import Decimal

import pytest

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.transfers import TransferKind
from soulseer.services import ledger
from tests.money_in.conftest import Sandbox
from tests.money_in.events import begun, deliver, row_of, statuses
from tests.refunds.steps import (
    TOP_UP,
    Source,
    alerts,
    arrived,
    asked,
    at_stripe,
    clean,
    dollars,
    heard,
    held,
    in_dashboard,
    paid,
    refund,
    sent,
    state,
    switch,
    top_up,
    wallet,
)


def test_told_by_event_before_the_sweep(sandbox: Sandbox, support: int, client_id: int) -> None:
    made = paid(sandbox, client_id)
    switch(sandbox, "", pending=True)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    assert sent() == {"sent": 1}
    switch(sandbox, f"/{refund(asked_for.id).stripe_refund_id}/settle")
    arrived(sandbox, "refund.updated", "charge.refund.updated", "refund.created", "charge.refunded")
    heard()
    assert state(asked_for.id) == "settled"
    assert set(statuses().values()) <= {"processed", "ignored"}
    clean()


def test_it_comes_back_weeks_later(sandbox: Sandbox, support: int, client_id: int) -> None:
    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    sent()
    assert (state(asked_for.id), wallet(client_id)) == ("settled", dollars("15.00"))
    sandbox.faults(duplicate_webhooks=3)
    switch(sandbox, f"/{refund(asked_for.id).stripe_refund_id}/fail", reason="expired_or_canceled_card")
    arrived(sandbox, "refund.failed", "refund.updated")
    heard()
    heard()
    found = refund(asked_for.id)
    assert (found.state, wallet(client_id)) == ("failed", dollars("25.00"))
    assert found.settled_at is not None
    assert top_up(made.id).refunded_amount == 0
    clean()


def test_the_event_is_quicker_than_our_own_record(sandbox: Sandbox, support: int, client_id: int) -> None:
    """The answer was lost, the event was not: the refund is found by our own name for it."""
    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    sandbox.faults(timeout_after_effect=3)
    assert sent() == {"unanswered": 1}
    arrived(sandbox, "refund.created")
    heard()
    found = refund(asked_for.id)
    assert (found.state, found.stripe_refund_id) == ("settled", at_stripe(sandbox)[0]["id"])
    assert wallet(client_id) == dollars("15.00")
    clean()


def test_made_in_the_dashboard(sandbox: Sandbox, client_id: int) -> None:
    made = paid(sandbox, client_id)
    name = in_dashboard(sandbox, made.stripe_payment_intent_id, 700)
    arrived(sandbox, "refund.created", "charge.refunded")
    heard()
    assert wallet(client_id) == dollars("18.00")
    assert top_up(made.id).refunded_amount == dollars("7.00")
    assert alerts() == ["refund_adopted"]
    adopted = refund(1)
    assert (adopted.stripe_refund_id, adopted.origin, adopted.state) == (name, "stripe", "settled")
    switch(sandbox, f"/{name}/fail")
    arrived(sandbox, "refund.failed")
    heard()
    assert (wallet(client_id), refund(1).state) == (dollars("25.00"), "failed")
    clean()


def test_in_the_dashboard_of_money_that_was_spent(sandbox: Sandbox, client_id: int) -> None:
    made = paid(sandbox, client_id)
    with transaction():
        ledger.post(
            TransferKind.GIFT,
            "gift:1",
            [
                ledger.Posting(ledger.account_id(A.CLIENT_WALLET, client_id), Decimal("-20.00")),
                ledger.Posting(ledger.account_id(A.PLATFORM_REVENUE), Decimal("20.00")),
            ],
            clock.now(),
        )
    name = in_dashboard(sandbox, made.stripe_payment_intent_id, 2500)
    arrived(sandbox, "refund.created")
    heard()
    assert (wallet(client_id), held(A.CLIENT_RECEIVABLE, client_id)) == (0, dollars("-20.00"))
    # The bank sends it back: nothing is owed any more, and the rest is in the wallet.
    switch(sandbox, f"/{name}/fail")
    arrived(sandbox, "refund.failed")
    heard()
    assert (wallet(client_id), held(A.CLIENT_RECEIVABLE, client_id)) == (dollars("5.00"), 0)
    clean()


def test_before_its_payment(sandbox: Sandbox, client_id: int) -> None:
    """Paid and given back at Stripe while we heard of neither: the refund's events come first."""
    begun_one = begun(client_id, "25.00")
    sandbox.faults(drop_webhooks=100)
    assert begun_one.stripe_checkout_session_id is not None
    session = sandbox.pay(begun_one.stripe_checkout_session_id).json()["session"]
    name = in_dashboard(sandbox, session["payment_intent"], 1000)
    told = sandbox.events("refund.created") + sandbox.events("charge.refunded")
    for event in told:
        deliver(sandbox, json.dumps(event))
    # Not yet so late that Stripe would be asked about the top-up itself.
    heard(timedelta(0))
    assert {row_of(event["id"]).status for event in told} <= {"received", "failed"}
    assert wallet(client_id) == 0
    for event in sandbox.events("checkout.session.completed"):
        deliver(sandbox, json.dumps(event))
    heard(timedelta(0))
    assert wallet(client_id) == dollars("25.00")
    heard(timedelta(days=1))
    assert wallet(client_id) == dollars("15.00")
    assert refund(1).stripe_refund_id == name
    assert set(statuses().values()) == {"processed"}
    clean()


def test_a_dashboards_refund_takes_the_place_of_ours(sandbox: Sandbox, support: int, client_id: int) -> None:
    """Ours is booked, not sent; somebody gives all back at Stripe. Ours is refused, theirs is adopted."""
    made = paid(sandbox, client_id)
    ours = asked(Source(TOP_UP, made.id), "25.00", support)
    in_dashboard(sandbox, made.stripe_payment_intent_id, 2500)
    arrived(sandbox, "refund.created", "charge.refunded")
    heard()
    assert state(ours.id) == "approved"
    assert sent() == {"failed": 1}
    heard(timedelta(days=1))
    assert wallet(client_id) == 0
    assert top_up(made.id).refunded_amount == dollars("25.00")
    assert refund(2).origin == "stripe"
    assert len(at_stripe(sandbox)) == 1
    clean()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("refund.created", {"id": "re_unknown"}),
        ("refund.updated", {"id": 17}),
        ("refund.failed", {}),
        ("charge.refunded", {"id": "ch_1", "payment_intent": {"id": 1}}),
    ],
)
def test_what_does_not_fit_is_for_a_person(sandbox: Sandbox, client_id: int, kind: str, said: dict) -> None:
    paid(sandbox, client_id)
    body = {"id": "evt_odd", "object": "event", "created": int(time.time()), "type": kind, "livemode": False,
            "data": {"object": said}}  # fmt: skip
    deliver(sandbox, json.dumps(body))
    heard()
    assert statuses()["evt_odd"] == "quarantined"
    assert alerts() == ["webhook_quarantined"]
    assert wallet(client_id) == dollars("25.00")


def test_an_events_word_alone_moves_nothing(sandbox: Sandbox, support: int, client_id: int) -> None:
    """It says failed; Stripe, asked, says succeeded."""
    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    sent()
    event = sandbox.events("refund.created")[0]
    event |= {"id": "evt_forged", "type": "refund.failed"}
    event["data"]["object"]["status"] = "failed"
    deliver(sandbox, json.dumps(event))
    heard()
    assert (state(asked_for.id), wallet(client_id)) == ("settled", dollars("15.00"))
