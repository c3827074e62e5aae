"""The clock stands while help is offered: by words of a crisis, or because one asked for help. Either may go on; it begins
again when both want to (services/readings.join)."""

from datetime import datetime

from sqlalchemy import exists, select

from soulseer.db import db
from soulseer.domain.readings import Action, PauseCause, Role, State
from soulseer.gateways.presence import Signs
from soulseer.models.readings import ReadingSession, ReadingSessionEvent
from soulseer.services import flags
from soulseer.services.readings import Caller
from soulseer.services.settling import instant_for, lock, pause, refuse_if_over, settle


def by_words(session_id: int, caller: Caller, now: datetime, signs: Signs) -> ReadingSession:
    """Pause an active session for what the caller wrote, once in a session: those who both chose to go on are not stopped
    again at every word. The message itself was flagged when it was stored, and stays although the reading is over by now."""
    return _stop(session_id, caller, now, signs, again=False)


def by_hand(session_id: int, caller: Caller, now: datetime, signs: Signs) -> ReadingSession:
    """Pause an active session because the caller asked for help, and flag it. Paused, it stays as it is.

    Raises IllegalMove where it is over or has not begun.
    """
    session = _stop(session_id, caller, now, signs, again=True)
    refuse_if_over(session, Action.LEAVE)
    flags.raise_flag(
        "session",
        session.id,
        None,
        "crisis",
        f"The {caller.role} asked for help.",
        None,
        now,
        about_id=caller.person_id,
    )
    return session


def _stop(session_id: int, caller: Caller, now: datetime, signs: Signs, *, again: bool) -> ReadingSession:
    session = lock(session_id)
    at = instant_for(session, now)
    # As a leave does: what is due is charged up to now, then nothing more.
    settle(session, at, signs, caller=caller.role, closing=True)
    if session.state == State.ACTIVE and (again or not _was_stopped(session_id)):
        pause(session, at, at, PauseCause.CRISIS, action=Action.LEAVE, role=Role.SYSTEM)
    return session


def _was_stopped(session_id: int) -> bool:
    statement = select(
        exists().where(
            ReadingSessionEvent.reading_session_id == session_id,
            ReadingSessionEvent.action == Action.LEAVE.value,
            ReadingSessionEvent.cause == PauseCause.CRISIS.value,
        )
    )
    return bool(db.session.scalar(statement))
