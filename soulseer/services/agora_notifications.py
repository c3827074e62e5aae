"""Agora's notifications: stored once each; who came or left was there at that second, a sign of life (design §4)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.readings import LIVE, Role
from soulseer.gateways.agora import Notification
from soulseer.models.payments import WebhookEvent
from soulseer.models.readings import ReadingSession

# Broadcaster, audience, or user of a call: joined (odd) or left (even). Source: Agora's list of channel event types.
SIGNS_OF_LIFE = frozenset(range(103, 109))


@dataclass(frozen=True)
class Sighting:
    """A participant was seen in a live session at ``at``, UTC."""

    reading_session_id: int
    role: Role
    at: datetime


def receive(notification: Notification, payload: bytes, now: datetime) -> Sighting | None:
    """Store the notification; what it tells of a live session, None if nothing, or if it was stored before."""
    sighting = _sighting(notification, now) if notification.event_type in SIGNS_OF_LIFE else None
    stored = db.session.scalar(
        upsert(WebhookEvent)
        .values(
            vendor="agora",
            event_id=notification.id,
            type=str(notification.event_type),
            payload=payload,
            status="processed" if sighting else "ignored",
            attempts=0,
            received_at=now,
            processed_at=now,
        )
        .on_conflict_do_nothing(index_elements=["vendor", "event_id"])
        .returning(WebhookEvent.id)
    )
    return sighting if stored is not None else None


def _sighting(notification: Notification, now: datetime) -> Sighting | None:
    session = db.session.scalar(
        select(ReadingSession).where(
            ReadingSession.channel == notification.channel, ReadingSession.state.in_([*LIVE])
        )
    )
    role = session.role_of(notification.uid) if session else None
    if session is None or role is None:
        return None
    # Never ahead of our own clock, whatever the sender's says.
    return Sighting(session.id, role, min(notification.at, now))
