"""Steps that several tests take: a top-up begun, events made and delivered, what came of them."""

import json
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import requests
from sqlalchemy import select, text
from stripe import WebhookSignature

from soulseer.blueprints import wallet
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind
from soulseer.jobs import process_stripe_webhook
from soulseer.jobs.context import JobContext
from soulseer.models.ledger import LedgerAlert, LedgerTransaction
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.services import ledger
from tests.money_in.conftest import NEW_SECRET, Sandbox


def begun(person_id: int, amount: str = "25.00", key: str | None = None) -> TopUp:
    """A top-up whose checkout is open, by the door's own steps."""
    return wallet.start(person_id, Decimal(amount), key=key)


def as_event(
    checkout: dict[str, Any], event_id: str, kind: str = "checkout.session.completed", **changes: Any
) -> str:
    """An event about a Checkout session, as Stripe would send it but for ``changes`` to the session."""
    body = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "type": kind,
        "livemode": changes.pop("event_livemode", False),
        "data": {"object": {**checkout, **changes}},
    }
    return json.dumps(body)


def deliver(sandbox: Sandbox, payload: str, secret: str = NEW_SECRET) -> requests.Response:
    header = WebhookSignature.generate_signature_header(payload, secret)
    answer = requests.post(
        f"{sandbox.product}/stripe/webhook/",
        data=payload.encode(),
        headers={"Stripe-Signature": header, "Content-Type": "application/json"},
        timeout=20,
    )
    answer.raise_for_status()
    return answer


def work(later: timedelta = timedelta(0), **arguments: str) -> dict[str, Any]:
    """One run of the job, as a worker does it, with its clock moved on by ``later``."""
    return process_stripe_webhook.run(JobContext(now=clock.now() + later, arguments=arguments))


def wallet_of(person_id: int) -> Decimal:
    with transaction():
        return ledger.balance(AccountKind.CLIENT_WALLET, person_id)


def top_up(top_up_id: int) -> TopUp:
    with transaction():
        return db.session.get_one(TopUp, top_up_id)


def statuses() -> dict[str, str]:
    """Status of every stored event by its id."""
    with transaction():
        return {row.event_id: row.status for row in db.session.scalars(select(WebhookEvent))}


def row_of(event_id: str) -> WebhookEvent:
    with transaction():
        return db.session.scalars(select(WebhookEvent).where(WebhookEvent.event_id == event_id)).one()


def postings() -> list[LedgerTransaction]:
    """The ledger transactions that are top-ups, oldest first."""
    with transaction():
        query = (
            select(LedgerTransaction).where(LedgerTransaction.kind == "top_up").order_by(LedgerTransaction.id)
        )
        return list(db.session.scalars(query))


def alerts() -> list[str]:
    """Each as ``kind:reference``."""
    with transaction():
        name = LedgerAlert.kind + ":" + LedgerAlert.reference
        return list(db.session.scalars(select(name).order_by(LedgerAlert.id)))


def books_balance() -> bool:
    """Entries sum to zero, and the wallets hold what their entries come to."""
    with transaction():
        total = db.session.scalar(text("SELECT coalesce(sum(amount), 0) FROM ledger_entry"))
        off = db.session.scalar(
            text(
                "SELECT count(*) FROM ledger_account a WHERE NOT hot AND balance <> "
                "(SELECT coalesce(sum(amount), 0) FROM ledger_entry e WHERE e.account_id = a.id)"
            )
        )
    return total == 0 and off == 0


def wait_for(condition: Any, seconds: float = 10) -> None:
    """Return once ``condition()`` holds; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)
