"""The inbox: every event of Stripe is stored raw, then acted on, once, whatever number of events speak of one payment.

An event is a hint to look, never a proof: what counts is what Stripe answers when it is asked. What is done about a
type is its capability's to know (services/stripe_events, stripe_handlers); here it is claimed, tried again, set aside.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import Read, db
from soulseer.gateways.stripe import StripeEvent, instant_of
from soulseer.models.payments import WebhookEvent
from soulseer.services import ledger
from soulseer.services.stripe_events import EventInHand, Handler, Question, Verdict, ignored, quarantined
from soulseer.services.stripe_handlers import HANDLERS

log = structlog.get_logger(__name__)

VENDOR = "stripe"
UNDONE = ("received", "failed")
# A worker that died with an event in hand gives it up after this.
LEASE = timedelta(minutes=2)
STORED = (
    "vendor", "event_id", "type", "livemode", "payload", "status", "attempts", "received_at", "next_attempt_at", "came_by",
    "created_at", "object_id",
)  # fmt: skip
# Twice as long each time: after about an hour a fault is put before a person, after more than three days (Stripe
# itself delivers for as long) it is given up.
FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(hours=6)
ALERT_AT, MOST_ATTEMPTS = 8, 24


@dataclass(frozen=True)
class Task:
    """An event in hand. ``status`` says that it is done already; else ``question`` is what Stripe is to be asked."""

    event_row_id: int
    event_id: str
    status: str | None = None
    event: EventInHand | None = None
    question: Question | None = None
    # Examining it failed in a way that nobody expected.
    unexpected: bool = False


# Built once: it is all that stands between a vendor and its answer.
STORE = Read(
    upsert(WebhookEvent.__table__)
    .values({name: bindparam(name) for name in STORED})
    .on_conflict_do_nothing(index_elements=["vendor", "event_id"])
    .returning(WebhookEvent.__table__.c.id)
)


def receive(event: StripeEvent, payload: bytes, now: datetime) -> int | None:
    """Store a verified event; its row's id, None where the same event was stored before. One INSERT."""
    return STORE.scalar(as_row(event, payload, now, came_by="webhook"))


def as_row(event: StripeEvent, payload: bytes, now: datetime, *, came_by: str) -> dict[str, Any]:
    """An event as it is stored; ``came_by`` is one of WEBHOOK_WAYS."""
    return {
        "vendor": VENDOR,
        "event_id": event.id,
        "type": event.type,
        "livemode": event.livemode,
        "payload": payload,
        "status": "received",
        "attempts": 0,
        "received_at": now,
        # By Stripe's own instant: older ones first, and due even where a worker's clock is behind ours.
        "next_attempt_at": min(event.created or now, now),
        "came_by": came_by,
        "created_at": event.created,
        "object_id": event.object_id,
    }


def wake(name: object) -> None:
    """Have a worker act on what is due, now rather than at the next sweep; call it after the commit. The run is queued
    under ``name``: the row of the event that wakes, or a word of one's own.

    One run acts on all that is stored when it begins, so only the first event since then asks for one.
    """
    gateways.current().queue.wake("payments", "process_stripe_webhook", name)


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


def claim(now: datetime, event_row_id: int | None = None, *, most: int = 1) -> list[Task]:
    """Take the event of this row, or up to ``most`` that are due longest; none where there is none to take.

    An event that needs no word from Stripe is finished here. A failed one named by its row is tried at once.
    """
    query = select(WebhookEvent).where(WebhookEvent.vendor == VENDOR, WebhookEvent.status.in_(UNDONE))
    is_due = WebhookEvent.next_attempt_at <= now
    if event_row_id is None:
        query = query.where(is_due).order_by(WebhookEvent.next_attempt_at).limit(most)
    else:
        query = query.where(WebhookEvent.id == event_row_id, or_(is_due, WebhookEvent.status == "failed"))
    return [_taken(row, now) for row in db.session.scalars(query.with_for_update(skip_locked=True)).all()]


def _taken(row: WebhookEvent, now: datetime) -> Task:
    if row.attempts >= MOST_ATTEMPTS and row.next_attempt_at is not None:
        # No attempt has come to its end: the event itself may be what ends the workers.
        _try_again(row, "every worker died with it in hand", now)
        return Task(row.id, row.event_id, status=row.status, unexpected=True)
    row.attempts += 1
    row.next_attempt_at = now + LEASE
    handler = HANDLERS.get(row.type)
    if row.livemode != gateways.current().stripe.livemode:
        words = f"livemode is {row.livemode}: the event is of the other mode"
        return _done(row, quarantined(words, alert=handler is not None), now)
    if handler is None:
        return _done(row, ignored("nothing is done with this type of event yet"), now)
    try:
        # What examining wrote before it failed must not stay, but that it was tried must.
        with db.session.begin_nested():
            event = _in_hand(row)
            answer = handler.examine(event, now)
    except Exception as error:
        log.exception("webhook_event_failed", webhook_event=row.event_id)
        return Task(row.id, row.event_id, status=_failed(row, error, now), unexpected=True)
    if isinstance(answer, Verdict):
        return _done(row, answer, now)
    return Task(row.id, row.event_id, event=event, question=answer)


def look_up(task: Task) -> Any:
    """Ask Stripe what the event's handler wants to know; None where Stripe knows no such object.

    Call it outside any transaction, from any thread. Raises StripeUnavailable, StripeRefused.
    """
    _, handler, question = _parts(task)
    return handler.ask(question)


def apply(task: Task, answer: Any, now: datetime) -> str:
    """Act on the event by what Stripe says; its status afterwards (the one it has, if another worker was quicker),
    ``later`` where what it speaks of has not come yet."""
    row = _locked(task.event_row_id)
    if row.status not in UNDONE:
        return row.status
    event, handler, question = _parts(task)
    return _settle(row, handler.apply(event, question, answer, now), now)


def fail(event_row_id: int, error: Exception, now: datetime) -> str:
    """Note that acting on the event failed: it is tried again later, up to MOST_ATTEMPTS times."""
    row = _locked(event_row_id)
    return row.status if row.status not in UNDONE else _failed(row, error, now)


def _in_hand(row: WebhookEvent) -> EventInHand:
    body = json.loads(row.payload)
    created = row.created_at or instant_of(body.get("created")) or row.received_at
    return EventInHand(row.id, row.event_id, row.type, body["data"]["object"], created)


def _parts(task: Task) -> tuple[EventInHand, Handler, Question]:
    if task.event is None or task.question is None:
        raise ValueError(f"{task.event_id} is done: there is nothing to ask about it")
    return task.event, HANDLERS[task.event.type], task.question


def _done(row: WebhookEvent, verdict: Verdict, now: datetime) -> Task:
    return Task(row.id, row.event_id, status=_settle(row, verdict, now))


def _settle(row: WebhookEvent, verdict: Verdict, now: datetime) -> str:
    """Write the verdict to the event; what it came to."""
    if verdict.status == "later":
        _try_again(row, verdict.words, now)
        return "later" if row.next_attempt_at is not None else row.status
    words = _words(verdict.words)
    if verdict.status == "quarantined" and verdict.alert:
        ledger.raise_alert("webhook_quarantined", f"{row.type}: {words}", now, reference=row.event_id)
    row.status, row.processed_at, row.next_attempt_at = verdict.status, now, None
    row.error = words or None
    return row.status


def _failed(row: WebhookEvent, error: Exception, now: datetime) -> str:
    _try_again(row, f"{type(error).__name__}: {error}", now)
    if row.attempts == ALERT_AT:
        ledger.raise_alert("webhook_failed", f"{row.type}: {row.error}", now, reference=row.event_id)
    return row.status


def _try_again(row: WebhookEvent, words: str, now: datetime) -> None:
    row.status, row.error = "failed", _words(words)
    wait = min(FIRST_RETRY * 2 ** min(row.attempts - 1, 20), LAST_RETRY)
    row.next_attempt_at = None if row.attempts >= MOST_ATTEMPTS else now + wait
    if row.next_attempt_at is None:
        ledger.raise_alert("webhook_failed", f"{row.type}: {row.error}", now, reference=row.event_id)


def _words(text: str) -> str:
    return text.replace("\0", "").strip()[:1000]


def _locked(event_row_id: int) -> WebhookEvent:
    return db.session.scalars(
        select(WebhookEvent)
        .where(WebhookEvent.id == event_row_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
