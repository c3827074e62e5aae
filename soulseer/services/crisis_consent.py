"""After a crisis the clock starts again only when both want it to."""

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.readings import Action, PauseCause
from soulseer.models.readings import ReadingSession, ReadingSessionEvent


def given(session: ReadingSession, person_id: int | None) -> bool:
    """Whether the reading may go on as this person comes in: after a crisis, when the other one came back first."""
    if session.pause_cause != PauseCause.CRISIS:
        return True
    first = db.session.scalar(
        select(ReadingSessionEvent.actor_id)
        .where(
            ReadingSessionEvent.reading_session_id == session.id,
            ReadingSessionEvent.action == Action.RECONNECT.value,
        )
        .order_by(ReadingSessionEvent.id.desc())
        .limit(1)
    )
    return bool(first != person_id)
