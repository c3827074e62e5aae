"""Whatever order events come in, and however often: what Stripe says when asked is what stands."""

import json
import random
import time
from datetime import timedelta

import pytest
import requests
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.gateways import stripe_subscriptions
from soulseer.jobs import process_stripe_webhook
from soulseer.jobs.context import JobContext
from soulseer.models.subscriptions import SubscriptionInvoice
from soulseer.services import subscription_mirror
from tests.money_in.conftest import SECRET_KEY, in_threads
from tests.money_in.events import alerts, deliver, row_of, statuses

KEPT = (
    "state", "plan_price_id", "stripe_subscription_id", "cancel_at_period_end", "current_period_end", "trial_end", "ended_at",
)  # fmt: skip


def everything(member) -> tuple:
    """What stands of a person's subscription in the end."""
    row = member.row()
    with transaction():
        query = select(SubscriptionInvoice).order_by(
            SubscriptionInvoice.issued_at, SubscriptionInvoice.stripe_invoice_id
        )
        invoices = [
            (one.stripe_invoice_id, one.state, one.amount_paid, one.stripe_payment_intent_id)
            for one in db.session.scalars(query)
        ]
    return tuple(getattr(row, name) for name in KEPT), invoices, sorted(member.booked())


def all_events(member) -> list[dict]:
    """Every event that Stripe has, newest first."""
    url = f"{member.sandbox.stripe}/v1/events"
    return requests.get(url, params={"limit": 100}, auth=(SECRET_KEY, ""), timeout=5).json()["data"]


@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_every_event_three_times_come_to_the_same(member, seed: int) -> None:
    reader = member()
    row = reader.choose("enterprise")
    reader.sandbox.faults(drop_webhooks=1000)
    reader.sandbox.pay(row.stripe_checkout_session_id).raise_for_status()
    with transaction():
        checkout = stripe_subscriptions.retrieve_checkout(_stripe(), row.stripe_checkout_session_id)
    name = checkout.subscription_id
    base = f"{reader.sandbox.stripe}/sandbox/subscriptions/{name}"
    for switch in ("renew", "fail", "renew", "card", "renew"):
        requests.post(f"{base}/{switch}", timeout=10).raise_for_status()
    events = [
        event
        for event in all_events(reader)
        if not event["type"].startswith(("product.", "price.", "customer.created"))
    ]
    copies = [{**event, "id": f"{event['id']}{suffix}"} for event in events for suffix in ("", "x2", "x3")]
    random.Random(seed).shuffle(copies)
    for event in copies:
        deliver(reader.sandbox, json.dumps(event))
        if random.Random(event["id"]).random() < 0.1:
            work()
    work()
    state, invoices, booked = everything(reader)
    assert state[0] == "active"
    assert booked == ["499.00"] * 4
    assert [one[1] for one in invoices] == ["paid"] * 4
    assert alerts() == []
    # Three copies of each are three rows of the inbox, and one effect.
    assert set(statuses().values()) <= {"processed", "ignored"}
    assert reader.mails().count("subscription_receipt") == 4


def work(later: timedelta = timedelta(seconds=1)) -> None:
    process_stripe_webhook.run(JobContext(now=clock.now() + later))


def _stripe():

    return gateways.current().stripe


def test_an_answer_that_was_asked_for_earlier_sets_nothing_back(member) -> None:
    reader = member()
    row = reader.subscribe("enterprise")
    before = subscription_mirror.ask(row.stripe_subscription_id)
    reader.do("cancel")
    with transaction():
        subscription_mirror.mirror(row.id, before, clock.now(), cause="late")
    assert reader.row().cancel_at_period_end
    reader.switch("renew")
    with transaction():
        subscription_mirror.mirror(row.id, before, clock.now(), cause="later still")
    assert reader.row().state == "canceled"
    assert reader.booked() == ["499.00"]


def test_a_subscription_that_nobody_asked_for_is_set_aside(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    event = next(one for one in all_events(reader) if one["type"] == "customer.subscription.created")
    event["id"], event["data"]["object"]["id"] = "evt_foreign", "sub_foreign"
    event["data"]["object"]["metadata"] = {"reference": "subscription:999:1"}
    deliver(reader.sandbox, json.dumps(event))
    work()
    assert row_of("evt_foreign").status == "quarantined"
    assert alerts() == ["webhook_quarantined:evt_foreign"]


@pytest.mark.parametrize(
    ("event_id", "said"),
    [
        ("evt_none", {"object": "invoice", "id": "in_1", "amount_paid": 500, "parent": None}),
        (
            "evt_list",
            {"object": "invoice", "id": "in_1", "parent": {"subscription_details": {"subscription": ["x"]}}},
        ),
        (
            "evt_text",
            {
                "object": "invoice",
                "id": "in_1",
                "parent": {"subscription_details": {"subscription": "x' OR 1"}},
            },
        ),
    ],
)
def test_events_that_make_no_sense_are_set_aside(member, event_id: str, said: dict) -> None:
    reader = member()
    body = {
        "id": event_id,
        "object": "event",
        "created": int(time.time()),
        "type": "invoice.paid",
        "livemode": False,
    }
    deliver(reader.sandbox, json.dumps({**body, "data": {"object": said}}))
    work()
    assert row_of(event_id).status == "quarantined"
    assert reader.booked() == []


def change_at_stripe(reader, **changes) -> None:
    """Write into the stand-in's own books what Stripe would then say."""
    row = reader.row()
    with reader.sandbox.stand_in.work() as its_work:
        found = its_work.get("subscription", row.stripe_subscription_id)
        its_work.save({**found, **changes})
        its_work.announce("customer.subscription.updated", {**found, **changes})
    reader.settle()


def test_another_customers_subscription_is_not_believed(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    change_at_stripe(reader, customer="cus_somebodyelse", status="canceled", ended_at=1)
    assert reader.row().state == "active"
    assert alerts() == [f"subscription_mismatch:subscription:{reader.row().id}"]


def test_an_unknown_price_is_not_believed(member) -> None:
    reader = member()
    row = reader.subscribe("enterprise")
    with reader.sandbox.stand_in.work() as its_work:
        items = its_work.get("subscription", row.stripe_subscription_id)["items"]
    items["data"][0]["price"]["id"] = "price_unknown"
    change_at_stripe(reader, items=items)
    assert reader.plan() == "enterprise"
    assert alerts() == [f"subscription_mismatch:subscription:{row.id}"]


@pytest.mark.parametrize(
    "changes",
    [{"currency": "eur"}, {"amount_paid": 1}, {"total": 49800}, {"customer": "cus_other"}],
    ids=["currency", "payments", "total", "customer"],
)
def test_an_invoice_that_does_not_fit_is_not_booked(member, changes: dict) -> None:
    reader = member()
    reader.subscribe("enterprise")
    reader.sandbox.faults(drop_webhooks=1000)
    reader.at_stripe("renew")
    reader.sandbox.faults(drop_webhooks=0)
    with reader.sandbox.stand_in.work() as its_work:
        newest = its_work.get("subscription", reader.row().stripe_subscription_id)["latest_invoice"]
        invoice = its_work.get("invoice", newest) | changes
        its_work.save(invoice)
        its_work.announce("invoice.paid", invoice)
    reader.settle()
    assert reader.booked() == ["499.00"]
    assert alerts() == [f"subscription_invoice_mismatch:{newest}"]


def test_many_workers_at_once_book_once(member, app) -> None:
    reader = member()
    row = reader.subscribe("enterprise")
    reader.sandbox.faults(drop_webhooks=1000)
    reader.at_stripe("renew")

    def mirror(_number: int) -> None:
        word = subscription_mirror.ask(row.stripe_subscription_id)
        with transaction():
            subscription_mirror.mirror(row.id, word, clock.now(), cause="asked")

    in_threads(app, 6, mirror)
    assert reader.booked() == ["499.00", "499.00"]
    assert reader.mails().count("subscription_receipt") == 2


def test_the_database_refuses_two_live_subscriptions_and_rewriting(member) -> None:
    reader = member()
    row = reader.subscribe("enterprise")
    twice = (
        "INSERT INTO subscription (person_id, audience, plan_price_id, trial_days, state, stripe_subscription_id,"
        " cancel_at_period_end, created_at) SELECT person_id, audience, plan_price_id, 0, 'active', 'sub_2', false, now()"
        " FROM subscription"
    )
    for statement in (
        twice,
        "UPDATE subscription SET person_id = person_id + 1",
        "UPDATE subscription SET state = 'open'",
        "DELETE FROM subscription",
        "UPDATE subscription_invoice SET state = 'open'",
        "UPDATE subscription_invoice SET transaction_id = NULL",
        "DELETE FROM subscription_invoice",
        "UPDATE subscription_move SET cause = 'x'",
    ):
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(text(statement))
    assert reader.row().state == row.state
