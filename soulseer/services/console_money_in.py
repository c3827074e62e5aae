"""Money from outside for staff: top-ups and the webhook inbox."""

import json
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Row, Select, or_, select

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.models.people import Person
from soulseer.services.console import Listed, Window, listed, on_days, people_named


@dataclass(frozen=True)
class ReceivedEvent:
    """An event with its body as text: laid out where it is JSON, else as it came."""

    event: WebhookEvent
    body: str


def webhooks(
    window: Window,
    *,
    status: str | None = None,
    type: str | None = None,
    event: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Events of vendors, newest first, without their bodies. ``event``: the vendor's id, whole."""
    columns = [
        WebhookEvent.vendor,
        WebhookEvent.event_id,
        WebhookEvent.type,
        WebhookEvent.status,
        WebhookEvent.received_at,
        WebhookEvent.processed_at,
        WebhookEvent.attempts,
        WebhookEvent.error,
    ]
    query = select(WebhookEvent.id, *columns).where(*on_days(WebhookEvent.received_at, since, until))
    if status:
        query = query.where(WebhookEvent.status == status)
    if type:
        query = query.where(WebhookEvent.type == type)
    if event:
        query = query.where(WebhookEvent.vendor.in_(("stripe", "agora")), WebhookEvent.event_id == event)
    return listed(query, WebhookEvent.id, window)


def webhook(event_row_id: int) -> ReceivedEvent:
    """One event with its raw body. Raises NotFound."""
    found = db.session.get(WebhookEvent, event_row_id, populate_existing=True)
    if found is None:
        raise NotFound(f"There is no webhook event {event_row_id}.")
    return ReceivedEvent(found, _readable(found.payload))


def _readable(payload: bytes) -> str:
    text = payload.decode("utf-8", "backslashreplace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _top_ups() -> Select:
    return select(TopUp.id, TopUp, Person.handle.label("person"), Person.email.label("person_email")).join(
        Person, Person.id == TopUp.person_id
    )


def top_ups(
    window: Window,
    *,
    state: str | None = None,
    person: str | None = None,
    stripe: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Top-ups, newest first. ``stripe``: the id of a Checkout session or a payment intent, whole."""
    query = _top_ups().where(*on_days(TopUp.created_at, since, until))
    if state:
        query = query.where(TopUp.state == state)
    if person:
        query = query.where(TopUp.person_id.in_(people_named(person)))
    if stripe:
        query = query.where(
            or_(TopUp.stripe_checkout_session_id == stripe, TopUp.stripe_payment_intent_id == stripe)
        )
    return listed(query, TopUp.id, window)


def top_up(top_up_id: int) -> tuple[Row, int | None]:
    """One top-up (``TopUp``, ``person``, ``person_email``) and the ledger transaction that credited it.

    Raises NotFound.
    """
    found = db.session.execute(_top_ups().where(TopUp.id == top_up_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no top-up {top_up_id}.")
    # As services/top_ups names the movement.
    key = f"top-up:{found.TopUp.stripe_checkout_session_id}"
    credited = db.session.scalar(select(LedgerTransaction.id).where(LedgerTransaction.idempotency_key == key))
    return found, credited
