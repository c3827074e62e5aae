"""Readings of people whose spending was stopped: ended at once, charged until then."""

from datetime import datetime

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import Gone as TimeOver
from soulseer.domain.errors import IllegalMove, PresenceUnavailable
from soulseer.domain.readings import Role
from soulseer.gateways.presence import Signs
from soulseer.models.disputes import SpendingHold
from soulseer.models.readings import LiveParticipant, ReadingSession
from soulseer.services import readings
from soulseer.services.readings import Caller

REASON = "The client’s spending is paused."


def end_of(client_id: int, now: datetime) -> list[int]:
    """End the live reading in which the person is the client, if any: the ids of what was ended.

    What is due is charged first and kept time is given back (design §4). Locks the session and its accounts: call it
    before any account is locked.
    """
    live = db.session.scalars(
        select(ReadingSession.id)
        .join(LiveParticipant, LiveParticipant.reading_session_id == ReadingSession.id)
        .where(LiveParticipant.person_id == client_id, ReadingSession.client_id == client_id)
        .order_by(ReadingSession.id)
    ).all()
    return [session_id for session_id in live if _end(session_id, now)]


def _end(session_id: int, now: datetime) -> bool:
    try:
        readings.end(session_id, Caller(Role.SYSTEM), now, _signs(session_id, now), reason=REASON)
    except (IllegalMove, TimeOver):
        # It was over by itself; what settling found true about it stays.
        return False
    return True


def _signs(session_id: int, now: datetime) -> Signs:
    timeout = policies.current().reading.presence_timeout
    try:
        return gateways.current().presence.touch(session_id, None, now, timeout)
    except PresenceUnavailable:
        return Signs(now, None, None)


def frozen_clients(limit: int = 500) -> list[int]:
    """People with a standing hold who are the client of a live reading."""
    found = db.session.scalars(
        select(SpendingHold.person_id)
        .join(LiveParticipant, LiveParticipant.person_id == SpendingHold.person_id)
        .join(ReadingSession, ReadingSession.id == LiveParticipant.reading_session_id)
        .where(SpendingHold.lifted_at.is_(None), ReadingSession.client_id == SpendingHold.person_id)
        .distinct()
        .order_by(SpendingHold.person_id)
        .limit(limit)
    )
    return list(found)
