"""The inbox: every event of Stripe is stored raw, then acted on, once, whatever number of events speak of one payment.

An event is a hint to look, never a proof: what is credited is what Stripe answers when it is asked (services/top_ups).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.money import to_cents
from soulseer.gateways.stripe import CheckoutSession, StripeEvent, StripeRefused
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.services import ledger, top_ups
from soulseer.services.top_ups import Outcome

VENDOR = "stripe"
UNDONE = ("received", "failed")
CHECKOUT_TYPES = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
)
MOST_ATTEMPTS = 12
# A worker that died with an event in hand gives it up after this.
LEASE = timedelta(minutes=2)
FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(hours=6)
_CHECKOUT_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}")


@dataclass(frozen=True)
class Task:
    """An event in hand. ``status`` says that it is done already, ``lookup`` what Stripe is to be asked about."""

    event_row_id: int
    event_id: str
    status: str | None = None
    checkout_session_id: str = ""
    top_up_id: int = 0
    claims_payment: bool = False


def receive(event: StripeEvent, payload: bytes, now: datetime) -> int | None:
    """Store a verified event; its row's id, None where the same event was stored before. One INSERT."""
    return db.session.scalar(
        upsert(WebhookEvent)
        .values(
            vendor=VENDOR,
            event_id=event.id,
            type=event.type,
            livemode=event.livemode,
            payload=payload,
            status="received",
            attempts=0,
            received_at=now,
            next_attempt_at=now,
        )
        .on_conflict_do_nothing(index_elements=["vendor", "event_id"])
        .returning(WebhookEvent.id)
    )


def due(now: datetime) -> list[str]:
    """The ids of the events that are due, oldest first."""
    return list(
        db.session.scalars(
            select(WebhookEvent.event_id)
            .where(
                WebhookEvent.vendor == VENDOR,
                WebhookEvent.status.in_(UNDONE),
                WebhookEvent.next_attempt_at <= now,
            )
            .order_by(WebhookEvent.next_attempt_at)
        )
    )


def claim(now: datetime, event_row_id: int | None = None) -> Task | None:
    """Take the event of this row, or the one that is due longest; None where there is none to take.

    An event that needs no word from Stripe is finished here. A failed one named by its row is tried at once.
    """
    query = select(WebhookEvent).where(WebhookEvent.vendor == VENDOR, WebhookEvent.status.in_(UNDONE))
    is_due = WebhookEvent.next_attempt_at <= now
    if event_row_id is None:
        query = query.where(is_due).order_by(WebhookEvent.next_attempt_at).limit(1)
    else:
        query = query.where(WebhookEvent.id == event_row_id, or_(is_due, WebhookEvent.status == "failed"))
    row = db.session.scalars(query.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    row.attempts += 1
    row.next_attempt_at = now + LEASE
    if row.livemode != gateways.current().stripe.livemode:
        return _quarantined(row, f"livemode is {row.livemode}: the event is of the other mode", now)
    if row.type not in CHECKOUT_TYPES:
        return _done(row, "ignored", now, "nothing is done with this type of event yet")
    return _examine(row, json.loads(row.payload)["data"]["object"], now)


def _examine(row: WebhookEvent, said: Mapping[str, Any], now: datetime) -> Task:
    """What an event about a Checkout session asks for: compare what it says with what we recorded."""
    checkout_id = said.get("id")
    if not isinstance(checkout_id, str) or not _CHECKOUT_ID.fullmatch(checkout_id):
        return _quarantined(row, "the event names no Checkout session", now)
    top_up = _top_up_for(checkout_id, said)
    if top_up is None:
        return _quarantined(row, f"unknown Checkout session {checkout_id}", now)
    wrong = _contradiction(top_up, checkout_id, said)
    if wrong is not None:
        return _quarantined(row, wrong, now)
    if top_up.state == "paid":
        return _done(row, "processed", now)
    return Task(
        row.id,
        row.event_id,
        checkout_session_id=checkout_id,
        top_up_id=top_up.id,
        claims_payment=said.get("payment_status") == "paid",
    )


def _top_up_for(checkout_id: str, said: Mapping[str, Any]) -> TopUp | None:
    """Ours by the id that we recorded; or by our own name for it, where a crash came before we recorded that."""
    found = db.session.scalars(
        select(TopUp).where(TopUp.stripe_checkout_session_id == checkout_id)
    ).one_or_none()
    if found is not None:
        return found
    number = top_ups.number_in(said.get("client_reference_id"))
    return None if number is None else db.session.get(TopUp, number)


def _contradiction(top_up: TopUp, checkout_id: str, said: Mapping[str, Any]) -> str | None:
    """Where the event says other than we recorded; None where it agrees. What it leaves out, Stripe is asked for."""
    metadata = said.get("metadata") or {}
    recorded: dict[str, tuple[Any, Any]] = {
        "id": (top_up.stripe_checkout_session_id or checkout_id, checkout_id),
        "amount_total": (to_cents(top_up.amount), said.get("amount_total")),
        "currency": (top_up.currency.lower(), said.get("currency")),
        "client_reference_id": (top_ups.reference(top_up), said.get("client_reference_id")),
        "metadata.top_up_id": (str(top_up.id), _part(metadata, "top_up_id")),
        "metadata.person_id": (str(top_up.person_id), _part(metadata, "person_id")),
    }
    # 25 and 25.0 and True are equal to Python, but only a whole number is an amount.
    differing = [
        f"{name}: recorded {ours!r}, the event says {theirs!r}"[:300]
        for name, (ours, theirs) in recorded.items()
        if theirs is not None and (type(theirs) is not type(ours) or theirs != ours)
    ]
    return "; ".join(differing) or None


def _part(metadata: object, name: str) -> object:
    return metadata.get(name) if isinstance(metadata, dict) else "no metadata"


def look_up(task: Task) -> CheckoutSession | None:
    """Ask Stripe about the event's Checkout session; None where Stripe does not know it.

    Call it outside any transaction. Raises StripeUnavailable, StripeRefused.
    """
    try:
        return gateways.current().stripe.retrieve_checkout(task.checkout_session_id)
    except StripeRefused as error:
        if error.missing:
            return None
        raise


def apply(task: Task, checkout: CheckoutSession | None, now: datetime) -> str:
    """Act on the event by what Stripe says; its status afterwards (the one it has, if another worker was quicker)."""
    row = _locked(task.event_row_id)
    if row.status not in UNDONE:
        return row.status
    if checkout is None:
        _quarantined(row, f"Stripe does not know the Checkout session {task.checkout_session_id}", now)
        return row.status
    recorded = top_ups.record(task.top_up_id, checkout, now)
    if recorded.outcome is Outcome.MISMATCH:
        # record() has raised the alert.
        _done(row, "quarantined", now, recorded.detail)
    elif task.claims_payment and recorded.outcome not in (Outcome.CREDITED, Outcome.ALREADY_CREDITED):
        _quarantined(row, f"the event says paid, Stripe says {recorded.detail or recorded.outcome}", now)
    else:
        _done(row, "processed", now)
    return row.status


def fail(event_row_id: int, error: Exception, now: datetime) -> str:
    """Note that acting on the event failed: it is tried again later, up to MOST_ATTEMPTS times."""
    row = _locked(event_row_id)
    if row.status not in UNDONE:
        return row.status
    row.status = "failed"
    row.error = _words(f"{type(error).__name__}: {error}")
    wait = min(FIRST_RETRY * 2 ** min(row.attempts - 1, 20), LAST_RETRY)
    row.next_attempt_at = None if row.attempts >= MOST_ATTEMPTS else now + wait
    if row.next_attempt_at is None:
        ledger.raise_alert("webhook_failed", f"{row.type}: {row.error}", now, reference=row.event_id)
    return row.status


def _quarantined(row: WebhookEvent, words: str, now: datetime) -> Task:
    """Set aside for a person, with an alert where it is about money."""
    if row.type in CHECKOUT_TYPES and row.type != "checkout.session.expired":
        ledger.raise_alert("webhook_quarantined", f"{row.type}: {_words(words)}", now, reference=row.event_id)
    return _done(row, "quarantined", now, words)


def _done(row: WebhookEvent, status: str, now: datetime, words: str | None = None) -> Task:
    row.status, row.processed_at, row.next_attempt_at = status, now, None
    row.error = None if words is None else _words(words)
    return Task(row.id, row.event_id, status=status)


def _words(text: str) -> str:
    return text.replace("\0", "").strip()[:1000]


def _locked(event_row_id: int) -> WebhookEvent:
    return db.session.scalars(
        select(WebhookEvent)
        .where(WebhookEvent.id == event_row_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
