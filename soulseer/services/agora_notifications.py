"""Agora's notifications: stored once each, then acted on; who came or left was there at that second (design §4).

What is stored and not acted on yet (its process was killed in between) is found again by the sweep.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.errors import PresenceUnavailable
from soulseer.domain.readings import Role, State
from soulseer.gateways.agora import Notification
from soulseer.models.connections import ChannelNotice
from soulseer.models.payments import WebhookEvent
from soulseer.models.readings import ReadingSession
from soulseer.services import evidence_refunds, webhooks
from soulseer.services.settling import instant_for, lock, settle
from soulseer.services.webhooks import STORE, UNDONE

VENDOR = "agora"
# Broadcaster, audience, or user of a call: joined (odd) or left (even). Source: Agora's list of channel event types.
SIGNS_OF_LIFE = frozenset(range(103, 109))
# What happened so long before the session was asked for is not about it, whatever the channel is called.
EARLIEST = timedelta(minutes=1)
# Whoever stored one acts on it at once; after this, the sweep does.
LEASE = timedelta(seconds=30)


@dataclass(frozen=True)
class Sighting:
    """A participant was seen in a live session at ``at``, UTC."""

    reading_session_id: int
    role: Role
    at: datetime


def store(notification: Notification, payload: bytes, now: datetime) -> int | None:
    """Store a verified notification; its row's id, None where the same one was stored before. One INSERT."""
    found: int | None = STORE.scalar(
        {
            "vendor": VENDOR,
            "event_id": notification.id,
            "type": str(notification.event_type),
            "livemode": False,
            "payload": payload,
            "status": "received",
            "attempts": 0,
            "received_at": now,
            "next_attempt_at": now + LEASE,
            "came_by": "webhook",
            # What an event of Stripe's is about; a call's events say it in their payload.
            "object_id": None,
            "created_at": notification.at,
        }
    )
    return found


def due(now: datetime) -> list[int]:
    """The rows that were stored and not acted on, the oldest first."""
    return list(
        db.session.scalars(
            select(WebhookEvent.id)
            .where(
                WebhookEvent.vendor == VENDOR,
                WebhookEvent.status.in_(UNDONE),
                WebhookEvent.next_attempt_at <= now,
            )
            .order_by(WebhookEvent.id)
        )
    )


def apply(event_row_id: int, now: datetime) -> Sighting | None:
    """Act on a stored notification, once: note who came or left, settle what follows from it, give back what a session
    that is closed owes. What it tells of a live session, None if nothing or if it was acted on before.

    Locks: the inbox's row, the session, then accounts.
    """
    row = db.session.scalars(
        select(WebhookEvent)
        .where(WebhookEvent.id == event_row_id, WebhookEvent.status.in_(UNDONE))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    notification = gateways.current().agora.read_notification(row.payload)
    session, role = _about(notification)
    if session is None or role is None or notification.at < session.created_at - EARLIEST:
        _done(row, "ignored", now, "of no channel, person or time of ours")
        return None
    # Never ahead of our own clock, whatever the sender's says.
    at = min(notification.at, row.received_at)
    joined = notification.event_type % 2 == 1
    db.session.add(
        ChannelNotice(
            webhook_event_id=row.id,
            reading_session_id=session.id,
            role=role.value,
            joined=joined,
            at=at,
            received_at=row.received_at,
            sequence=notification.sequence,
            reason=None if joined else notification.reason,
        )
    )
    _done(row, "processed", now)
    db.session.flush()
    session = lock(session.id)
    if session.state == State.ACTIVE:
        _settle(session, now)
    elif session.state == State.FINALIZED:
        evidence_refunds.give_back(session, now)
    return Sighting(session.id, role, at) if session.is_live else None


def _about(notification: Notification) -> tuple[ReadingSession | None, Role | None]:
    if notification.event_type not in SIGNS_OF_LIFE:
        return None, None
    session = db.session.scalar(select(ReadingSession).where(ReadingSession.channel == notification.channel))
    return session, session.role_of(notification.uid) if session else None


def _settle(session: ReadingSession, now: datetime) -> None:
    """A leave that comes late may be a drop already. The signs of life are only read: nobody calls here; and while they
    cannot be read nobody is judged: the sweep settles it afterwards."""
    timeout = policies.current().reading.presence_timeout
    try:
        signs = gateways.current().presence.touch(session.id, None, now, timeout)
    except PresenceUnavailable:
        return
    settle(session, instant_for(session, now), signs)


def _done(row: WebhookEvent, status: str, now: datetime, words: str | None = None) -> None:
    row.attempts += 1
    row.status, row.processed_at, row.next_attempt_at, row.error = status, now, None, words


def fail(event_row_id: int, error: Exception, now: datetime) -> None:
    """Note that acting on it failed: the sweep tries again with growing pauses; after many, a person is told."""
    db.session.execute(
        update(WebhookEvent).where(WebhookEvent.id == event_row_id).values(attempts=WebhookEvent.attempts + 1)
    )
    webhooks.fail(event_row_id, error, now)


def remember(sighting: Sighting) -> None:
    """Note the sign of life once what it tells is committed. A gap before it is left for the next call to book as a
    drop: it is not papered over here."""
    gateways.current().presence.touch(
        sighting.reading_session_id,
        sighting.role.value,
        sighting.at,
        policies.current().reading.presence_timeout,
    )


def act(event_row_id: int, now: datetime) -> Sighting | None:
    """``apply``, with the sign of life noted after the commit; call it inside a transaction of its own."""
    sighting = apply(event_row_id, now)
    if sighting is not None:
        after_commit(lambda: remember(sighting))
    return sighting
