"""What a plan cost goes back: refunded in Stripe's dashboard or by staff, asked back by the payer's bank, in any order."""

import json
import random
from datetime import timedelta
from decimal import Decimal

import pytest
import requests
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import Conflict, InvalidInput
from soulseer.jobs import reconcile, send_refunds
from soulseer.jobs.context import JobContext
from soulseer.models.disputes import Dispute
from soulseer.models.refunds import Refund
from soulseer.models.subscriptions import SubscriptionInvoice
from soulseer.services import evidence, evidence_pack, ledger, refund_plans, refunds
from soulseer.services.reversals import INVOICE, Source
from tests import factories
from tests.money_in.conftest import SECRET_KEY
from tests.money_in.events import alerts, deliver, statuses, work


def newest() -> SubscriptionInvoice:
    with transaction():
        query = select(SubscriptionInvoice).order_by(SubscriptionInvoice.id.desc()).limit(1)
        return db.session.scalars(query.execution_options(populate_existing=True)).one()


def post(member, path: str, as_json: bool = False, **body) -> dict:
    send = {"json": body} if as_json else {"data": body}
    answer = requests.post(f"{member.sandbox.stripe}{path}", auth=(SECRET_KEY, ""), timeout=5, **send)
    assert answer.ok, answer.text
    return answer.json()


def in_dashboard(member, cents: int) -> str:
    """Somebody gives back (part of) the newest invoice in Stripe's own dashboard: the refund's id."""
    intent = newest().stripe_payment_intent_id
    return post(member, "/v1/refunds", payment_intent=intent, amount=cents)["id"]


def ask_back(member, **more) -> str:
    """The payer's bank asks for the newest invoice's money: the dispute's id."""
    intent = newest().stripe_payment_intent_id
    wanted = {"payment_intent": intent, "reason": "subscription_canceled", **more}
    return post(member, "/sandbox/disputes", as_json=True, **wanted)["id"]


def revenue() -> str:
    with transaction():
        return f"{ledger.platform_balance(AccountKind.PLATFORM_REVENUE):.2f}"


def agrees_with_stripe() -> None:
    """A comparison with Stripe's own list leaves no cent unexplained and no difference open."""
    done = reconcile.run(JobContext(now=clock.now() + timedelta(hours=2)))
    assert (done["unexplained"], done["differing"]) == ("0.00", 0)


def all_of(model) -> list:
    with transaction():
        return list(db.session.scalars(select(model).order_by(model.id)))


def test_refunded_in_parts_in_the_dashboard_the_last_part_ends_the_plan(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    in_dashboard(reader, 10000)
    reader.settle()
    reader.sweep()
    assert (reader.row().state, revenue()) == ("active", "399.00")
    assert newest().refunded_amount == 100

    in_dashboard(reader, 39900)
    reader.settle()
    assert reader.sweep()["endings"] == 1
    assert (reader.row().state, reader.plan(), revenue()) == ("canceled", "free", "0.00")
    assert [(row.state, str(row.amount), row.origin) for row in all_of(Refund)] == [
        ("settled", "100.00", "stripe"),
        ("settled", "399.00", "stripe"),
    ]
    assert reader.mails()[-3:] == ["refund_settled", "refund_settled", "subscription_ended"]
    assert {each.split(":")[0] for each in alerts()} == {"refund_adopted"}
    # Nothing is left to be done, and Stripe's last events change nothing.
    reader.settle()
    assert "endings" not in reader.sweep()
    agrees_with_stripe()


def test_an_earlier_period_refunded_leaves_the_plan_that_is_paid(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    first = newest().stripe_payment_intent_id
    reader.switch("renew")
    post(reader, "/v1/refunds", payment_intent=first)
    reader.settle()
    assert "endings" not in reader.sweep()
    assert (reader.row().state, revenue()) == ("active", "499.00")


@pytest.mark.parametrize("outcome", ["win", "lose"])
def test_asked_back_by_the_bank(member, outcome: str) -> None:
    client = member("client")
    client.subscribe("premium")
    client.switch("forward", days=40)
    cost, before = newest().amount_paid, revenue()
    name = ask_back(client)
    client.settle()
    dispute = all_of(Dispute)[0]
    assert (dispute.platform_part, dispute.wallet_part, dispute.receivable_part) == (cost, 0, 0)
    without = f"{Decimal(before) - cost:.2f}"
    assert (revenue(), newest().disputed_amount, client.row().state) == (without, cost, "active")
    with transaction():
        found = evidence.collect(dispute.id)
        assert evidence_pack.render(found, clock.now()).startswith(b"%PDF")
        assert "plan" in evidence_pack.fields(found, "")["product_description"]

    post(client, f"/sandbox/disputes/{name}/{outcome}")
    client.settle()
    client.sweep()
    if outcome == "win":
        assert (client.row().state, revenue(), newest().disputed_amount) == ("active", before, 0)
        assert client.mails()[-2:] == ["dispute_opened", "dispute_won"]
    else:
        assert (client.row().state, client.plan(), revenue()) == ("canceled", None, without)
        assert client.mails()[-3:] == ["dispute_opened", "dispute_lost", "subscription_ended"]
    agrees_with_stripe()


@pytest.mark.parametrize("seed", range(3))
def test_any_order_and_every_event_three_times(member, seed: int) -> None:
    reader = member()
    row = reader.choose("enterprise")
    reader.sandbox.faults(drop_webhooks=1000)
    reader.sandbox.pay(row.stripe_checkout_session_id).raise_for_status()
    url = f"{reader.sandbox.stripe}/v1"
    intent = requests.get(f"{url}/payment_intents", auth=(SECRET_KEY, ""), timeout=5).json()["data"][0]["id"]
    post(reader, "/v1/refunds", payment_intent=intent, amount=9900)
    body = {"payment_intent": intent, "amount": 40000, "reason": "fraudulent"}
    name = post(reader, "/sandbox/disputes", as_json=True, **body)["id"]
    post(reader, f"/sandbox/disputes/{name}/lose")
    listed = requests.get(f"{url}/events", params={"limit": 100}, auth=(SECRET_KEY, ""), timeout=5)
    events = [
        event
        for event in listed.json()["data"]
        if not event["type"].startswith(("product.", "price.", "customer.created"))
    ]
    copies = [{**event, "id": f"{event['id']}{suffix}"} for event in events for suffix in ("", "x2", "x3")]
    random.Random(seed).shuffle(copies)
    for number, event in enumerate(copies):
        deliver(reader.sandbox, json.dumps(event))
        if number % 7 == 0:
            work()
    # What came before its payment is tried again.
    for _ in range(3):
        work(timedelta(minutes=20))
    assert set(statuses().values()) <= {"processed", "ignored"}
    reader.sweep(timedelta(minutes=30))
    assert (reader.row().state, revenue()) == ("canceled", "0.00")
    assert [str(refund.amount) for refund in all_of(Refund)] == ["99.00"]
    assert [(each.state, str(each.taken_amount)) for each in all_of(Dispute)] == [("lost", "400.00")]
    agrees_with_stripe()


def test_by_staff_and_sent_back_by_the_bank(member) -> None:
    reader, support, finance = member(), factories.person("support").id, factories.person("finance").id
    reader.subscribe("enterprise")
    source, amount = Source(INVOICE, newest().id), newest().amount_paid
    with transaction():
        plan = refund_plans.plan(source, amount)
        made = refunds.request(
            source, amount, plan.hash, support, "Not what she wanted", clock.now(), key="1"
        )
    assert made.state == "requested"
    with transaction():
        refunds.approve(made.id, plan.hash, finance, "As agreed on the phone", clock.now())
    assert send_refunds.run(JobContext(now=clock.now() + timedelta(seconds=1))) == {"settled": 1}
    reader.settle()
    assert reader.sweep()["endings"] == 1
    assert (reader.row().state, revenue()) == ("canceled", "0.00")
    with transaction(), pytest.raises(Conflict):
        refund_plans.plan(source, amount)

    refund_id = all_of(Refund)[0].stripe_refund_id
    post(reader, f"/sandbox/refunds/{refund_id}/fail", as_json=True, reason="lost_or_stolen_card")
    reader.settle()
    assert (all_of(Refund)[0].state, revenue(), newest().refunded_amount) == ("failed", f"{amount:.2f}", 0)
    assert alerts() == [f"refund_came_back:refund:{made.id}"]
    assert reader.mails()[-1] == "refund_failed"
    agrees_with_stripe()


def test_never_more_than_was_paid(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    invoice = newest()
    with transaction(), pytest.raises(InvalidInput):
        refund_plans.plan(Source(INVOICE, invoice.id), invoice.amount_paid + 1)
    for statement in (
        "UPDATE subscription_invoice SET refunded_amount = amount_paid + 1",
        "UPDATE subscription_invoice SET disputed_amount = amount_paid, refunded_amount = 1",
        "UPDATE subscription_invoice SET disputed_amount = -1",
    ):
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(text(statement))
