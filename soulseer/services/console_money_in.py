"""Money from outside for staff: top-ups and the webhook inbox."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, or_, select

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.ledger import LedgerAlert, LedgerTransaction
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.models.people import Person
from soulseer.services.console import Listed, Window, listed, on_days, people_named

EVENT_ALERTS = ("webhook_quarantined", "webhook_failed")
# Members of Stripe's objects that name other objects of interest here.
POINTERS = ("payment_intent", "charge", "customer", "subscription", "invoice", "transfer", "destination")


@dataclass(frozen=True)
class ReceivedEvent:
    """An event with its body as text: laid out where it is JSON, else as it came.

    ``names`` are the ids at Stripe that it speaks of, by what they are; the rest is ours that bears one of them.
    """

    event: WebhookEvent
    body: str
    names: Mapping[str, str]
    top_up_id: int | None
    transactions: Sequence[Row]
    alerts: Sequence[Row]


def webhook_conditions(
    *,
    status: str | None = None,
    type: str | None = None,
    event: str | None = None,
    object: str | None = None,
    came_by: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> list[ColumnElement[bool]]:
    """What narrows a list of events. ``event``: the vendor's id, whole; ``object``: the id of what it is about; the days are those they came on."""
    conditions = on_days(WebhookEvent.received_at, since, until)
    for column, wanted in (("status", status), ("type", type), ("came_by", came_by)):
        if wanted:
            conditions.append(getattr(WebhookEvent, column) == wanted)
    if object:
        conditions.append(WebhookEvent.object_id == object)
    if event:
        conditions += [WebhookEvent.vendor.in_(("stripe", "agora")), WebhookEvent.event_id == event]
    return conditions


def webhooks(window: Window, **criteria: Any) -> Listed:
    """Events of vendors, newest first, without their bodies; narrowed as ``webhook_conditions`` says."""
    columns = [
        WebhookEvent.vendor,
        WebhookEvent.event_id,
        WebhookEvent.type,
        WebhookEvent.status,
        WebhookEvent.received_at,
        WebhookEvent.processed_at,
        WebhookEvent.attempts,
        WebhookEvent.error,
        WebhookEvent.came_by,
    ]
    return listed(
        select(WebhookEvent.id, *columns).where(*webhook_conditions(**criteria)), WebhookEvent.id, window
    )


def webhook(event_row_id: int) -> ReceivedEvent:
    """One event with its raw body. Raises NotFound."""
    found = db.session.get(WebhookEvent, event_row_id, populate_existing=True)
    if found is None:
        raise NotFound(f"There is no webhook event {event_row_id}.")
    names = _names(found.payload) if found.vendor == "stripe" else {}
    ids = list(names.values())
    top_up_id = db.session.scalar(
        select(TopUp.id)
        .where(
            or_(
                TopUp.stripe_checkout_session_id.in_(ids),
                TopUp.stripe_payment_intent_id.in_(ids),
                TopUp.stripe_charge_id.in_(ids),
            )
        )
        .limit(1)
    )
    transactions = db.session.execute(
        select(LedgerTransaction.id, LedgerTransaction.kind)
        .where(LedgerTransaction.stripe_reference.in_(ids))
        .order_by(LedgerTransaction.id)
        .limit(20)
    ).all()
    alerts = db.session.execute(
        select(LedgerAlert.id, LedgerAlert.kind, LedgerAlert.resolved_at)
        .where(LedgerAlert.kind.in_(EVENT_ALERTS), LedgerAlert.reference == found.event_id)
        .order_by(LedgerAlert.id)
    ).all()
    return ReceivedEvent(found, _readable(found.payload), names, top_up_id, transactions, alerts)


def _names(payload: bytes) -> dict[str, str]:
    """Ids at Stripe in the event's object, by what they are: its own first."""
    try:
        said = json.loads(payload)["data"]["object"]
    except (ValueError, KeyError, TypeError):
        return {}
    if not isinstance(said, dict):
        return {}
    found = {str(said.get("object") or "object"): said.get("id")}
    found |= {name: said.get(name) for name in POINTERS}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and len(value) <= 255 and value.isprintable()
    }


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
    automatic = f"auto:{found.TopUp.stripe_payment_intent_id}"
    key = f"top-up:{found.TopUp.stripe_checkout_session_id or automatic}"
    credited = db.session.scalar(select(LedgerTransaction.id).where(LedgerTransaction.idempotency_key == key))
    return found, credited
