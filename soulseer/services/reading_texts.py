"""The conversation in the room, and a participant's private notes."""

import uuid
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.errors import IllegalMove, InvalidInput
from soulseer.domain.readings import State
from soulseer.domain.texts import clean_text
from soulseer.models.readings import ReadingMessage, ReadingNote, ReadingSession

LONGEST_MESSAGE = 4_000
LONGEST_NOTE = 4_000
# First part of the advisory lock that numbers a session's messages.
_NUMBERING = 7_001


def send(
    session: ReadingSession, sender_id: int, client_key: str, body: str, now: datetime
) -> ReadingMessage:
    """Store a message; the same ``client_key`` (a UUID the sender made) again is the same message.

    Numbers rise without holes in the order of commits, so that a reader who asks for what comes after a number
    misses nothing. Raises InvalidInput; IllegalMove unless the session is active: time that is not paid is not served.
    """
    body = clean_text("body", body, LONGEST_MESSAGE, minimum=1)
    try:
        key = uuid.UUID(client_key)
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput("client_key", "client_key must be a UUID.") from None
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(:kind, hashint8(:id))"), {"kind": _NUMBERING, "id": session.id}
    )
    known: ReadingMessage | None = db.session.scalar(
        select(ReadingMessage).where(
            ReadingMessage.reading_session_id == session.id,
            ReadingMessage.sender_id == sender_id,
            ReadingMessage.client_key == key,
        )
    )
    if known is not None:
        return known
    if session.state != State.ACTIVE:
        raise IllegalMove(f"Messages are for an active reading; this one is {session.state}.")
    last = db.session.scalar(
        select(func.max(ReadingMessage.number)).where(ReadingMessage.reading_session_id == session.id)
    )
    message = ReadingMessage(
        reading_session_id=session.id,
        number=(last or 0) + 1,
        sender_id=sender_id,
        client_key=key,
        body=body,
        created_at=now,
    )
    db.session.add(message)
    db.session.flush()
    return message


def after(session_id: int, number: int, limit: int) -> list[ReadingMessage]:
    """Messages with a higher number, oldest first."""
    return list(
        db.session.scalars(
            select(ReadingMessage)
            .where(ReadingMessage.reading_session_id == session_id, ReadingMessage.number > number)
            .order_by(ReadingMessage.number)
            .limit(limit)
        )
    )


def note_of(session_id: int, author_id: int) -> str:
    """The author's note, empty where there is none."""
    return (
        db.session.scalar(
            select(ReadingNote.body).where(
                ReadingNote.reading_session_id == session_id, ReadingNote.author_id == author_id
            )
        )
        or ""
    )


def write_note(session_id: int, author_id: int, body: str, now: datetime) -> None:
    """Replace the author's note. Raises InvalidInput."""
    body = clean_text("note", body, LONGEST_NOTE)
    statement = upsert(ReadingNote).values(
        reading_session_id=session_id, author_id=author_id, body=body, updated_at=now
    )
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["reading_session_id", "author_id"], set_={"body": body, "updated_at": now}
        )
    )
