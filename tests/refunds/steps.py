"""Steps that several tests take: paid top-ups, readings that can be given back, refunds asked for, Stripe's word."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import requests
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.transfers import TransferKind
from soulseer.jobs import process_stripe_webhook, send_refunds
from soulseer.jobs.context import JobContext
from soulseer.models.ledger import LedgerAlert
from soulseer.models.payments import TopUp
from soulseer.models.refunds import Refund
from soulseer.services import earnings, ledger, ledger_check, refund_plans, refunds
from soulseer.services.refund_plans import Plan
from soulseer.services.reversals import READING, TOP_UP, TRANSACTION, Source
from tests.factories import START
from tests.money_in.conftest import SECRET_KEY, Sandbox
from tests.money_in.events import begun, statuses, wait_for
from tests.readings.room import Room

__all__ = ["READING", "TOP_UP", "TRANSACTION", "Source"]
REASON = "The client asked for it on the phone."


def dollars(amount: str | int) -> Decimal:
    return Decimal(amount).quantize(Decimal("0.01"))


def paid(sandbox: Sandbox, person_id: int, amount: str = "25.00") -> TopUp:
    """A top-up that was paid and credited."""
    made = begun(person_id, amount)
    assert made.stripe_checkout_session_id is not None
    assert sandbox.pay(made.stripe_checkout_session_id).status_code == 200
    heard()
    with transaction():
        found = db.session.get_one(TopUp, made.id)
        assert found.state == "paid"
        return found


def heard(later: timedelta = timedelta(minutes=3)) -> dict[str, Any]:
    """The inbox worked through; ``later`` has what Stripe must be asked about be due."""
    return process_stripe_webhook.run(JobContext(now=clock.now() + later))


def sent(later: timedelta = timedelta(0), **arguments: str) -> dict[str, Any]:
    """One run of the job that sends refunds, its clock moved on."""
    return send_refunds.run(JobContext(now=clock.now() + later, arguments=arguments))


def reading(minutes: int = 2, rate: str = "10.00", wallet: str = "100.00") -> Room:
    """A finalized reading of so many minutes."""
    room = Room(rate=rate, wallet=wallet).start(0)
    room.beats(10, 60 * minutes)
    room.do("end", "client", 60 * minutes)
    room.finalize(60 * minutes + 1)
    assert room.session.state == "finalized"
    return room


def preview(source: Source, amount: str) -> Plan:
    with transaction():
        return refund_plans.plan(source, dollars(amount))


def asked(source: Source, amount: str, actor_id: int, *, key: str = "", plan_hash: str = "") -> Refund:
    """Previewed and asked for, as the console does."""
    plan_hash = plan_hash or preview(source, amount).hash
    with transaction():
        return refunds.request(
            source, dollars(amount), plan_hash, actor_id, REASON, clock.now(), key=key or str(uuid4())
        )


def state(refund_id: int) -> str:
    return refund(refund_id).state


def refund(refund_id: int) -> Refund:
    with transaction():
        return db.session.get_one(Refund, refund_id, populate_existing=True)


def top_up(top_up_id: int) -> TopUp:
    with transaction():
        return db.session.get_one(TopUp, top_up_id, populate_existing=True)


def held(kind: A, person_id: int) -> Decimal:
    with transaction():
        return ledger.balance(kind, person_id)


def wallet(person_id: int) -> Decimal:
    return held(A.CLIENT_WALLET, person_id)


def at_stripe(sandbox: Sandbox, payment_intent_id: str | None = None) -> list[dict[str, Any]]:
    """Stripe's own list of refunds, newest first."""
    only = {"payment_intent": payment_intent_id} if payment_intent_id else {}
    answer = requests.get(
        f"{sandbox.stripe}/v1/refunds", params={"limit": "100", **only}, auth=(SECRET_KEY, ""), timeout=5
    )
    answer.raise_for_status()
    return answer.json()["data"]


def in_dashboard(sandbox: Sandbox, payment_intent_id: str | None, cents: int, **more: str) -> str:
    """Somebody gives money back in Stripe's own dashboard: the refund's id."""
    answer = requests.post(
        f"{sandbox.stripe}/v1/refunds",
        data={"payment_intent": payment_intent_id, "amount": cents, **more},
        auth=(SECRET_KEY, ""),
        timeout=5,
    )
    answer.raise_for_status()
    return answer.json()["id"]


def arrived(sandbox: Sandbox, *kinds: str) -> None:
    """Wait until every event of these types is in the inbox."""
    wanted = {event["id"] for kind in kinds for event in sandbox.events(kind)}
    assert wanted
    wait_for(lambda: wanted <= statuses().keys())


def switch(sandbox: Sandbox, path: str, **wanted: object) -> dict[str, Any]:
    """What a bank does with a refund: ``/{id}/fail``, ``/{id}/settle``; ``""`` with pending."""
    answer = requests.post(f"{sandbox.stripe}/sandbox/refunds{path}", json=wanted, timeout=5)
    answer.raise_for_status()
    return answer.json()


def alerts() -> list[str]:
    with transaction():
        return list(db.session.scalars(select(LedgerAlert.kind).order_by(LedgerAlert.id)))


def clean() -> None:
    """Every invariant of the books holds."""
    assert ledger_check.check() == []


def gift(client_id: int, reader_id: int) -> int:
    """A gift of ten dollars: the ledger transaction."""
    with transaction():
        made, _ = ledger.post(
            TransferKind.GIFT,
            f"gift:{client_id}",
            [
                ledger.Posting(ledger.account_id(A.CLIENT_WALLET, client_id), Decimal("-10.01")),
                ledger.Posting(ledger.account_id(A.READER_EARNINGS_PENDING, reader_id), Decimal("7.01")),
                ledger.Posting(ledger.account_id(A.PLATFORM_REVENUE), Decimal("3.00")),
            ],
            START,
        )
        earnings.record_movement(reader_id, "gift", Decimal("7.01"), made, START)
    return made
