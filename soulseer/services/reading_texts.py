"""The conversation in the room, and a participant's private notes."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import joinedload

from soulseer.db import db
from soulseer.domain.crisis import is_crisis
from soulseer.domain.errors import IllegalMove, InvalidInput, SoulSeerError
from soulseer.domain.invisible import without_invisible
from soulseer.domain.readings import State
from soulseer.domain.texts import clean_text
from soulseer.models.readings import ReadingMessage, ReadingNote, ReadingSession
from soulseer.services import files, flags, message_contacts, message_marks

LONGEST_MESSAGE = 4_000
LONGEST_NOTE = 4_000
# First part of the advisory lock that numbers a session's messages.
_NUMBERING = 7_001
_WITH_FILE = select(ReadingMessage).options(joinedload(ReadingMessage.file))


class ContactDetails(SoulSeerError):
    """The message seems to hold contact details (``kinds``): a warning, once; ``confirm`` sends it all the same."""

    code, status, title = "contact_details", 422, "This looks like contact details"


@dataclass(frozen=True)
class Draft:
    """A message as it came in. ``client_key``: a UUID that the sender made; ``file``: an uploaded picture, not confirmed
    yet, and ``alt`` its description; ``confirm``: the sender was warned and sends it all the same."""

    client_key: str
    body: str
    confirm: bool = False
    file: files.Intent | None = None
    alt: str = ""


@dataclass(frozen=True)
class Sent:
    """``crisis``: its words tell of one; sent again they may do what a request that died left undone (see
    services/crisis_pauses.py)."""

    message: ReadingMessage
    crisis: bool = False


def key_of(client_key: str) -> uuid.UUID:
    """The key as a UUID. Raises InvalidInput."""
    try:
        return uuid.UUID(client_key)
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput("client_key", "client_key must be a UUID.") from None


def known(session_id: int, sender_id: int, client_key: str) -> ReadingMessage | None:
    """The message that was sent under this key. Raises InvalidInput."""
    found: ReadingMessage | None = db.session.scalar(
        _WITH_FILE.where(
            ReadingMessage.reading_session_id == session_id,
            ReadingMessage.sender_id == sender_id,
            ReadingMessage.client_key == key_of(client_key),
        )
    )
    return found


def refuse_if_still(session: ReadingSession) -> None:
    """Raises IllegalMove unless the session is active: time that is not paid is not served."""
    if session.state != State.ACTIVE:
        raise IllegalMove(f"Messages are for an active reading; this one is {session.state}.")


def checked(draft: Draft) -> tuple[str, tuple[str, ...]]:
    """The words as they are stored and the kinds of contact details in them. Raises InvalidInput, ContactDetails."""
    body = clean_text("body", without_invisible(draft.body), LONGEST_MESSAGE, minimum=0 if draft.file else 1)
    kinds = message_contacts.find(f"{body}\n{draft.alt}")
    if kinds and not draft.confirm:
        raise ContactDetails(
            "Readings that leave SoulSeer have no receipt, no refund and nobody who helps.", kinds=list(kinds)
        )
    return body, kinds


def send(session: ReadingSession, sender_id: int, draft: Draft, now: datetime) -> Sent:
    """Store a message; the same ``client_key`` again is the same message.

    Numbers rise without holes in the order of commits, so that a reader who asks for what comes after a number
    misses nothing. Contact details and words of a crisis are flagged to moderators. Raises InvalidInput, ContactDetails,
    IllegalMove, FileLost.
    """
    key = key_of(draft.client_key)
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(:kind, hashint8(:id))"), {"kind": _NUMBERING, "id": session.id}
    )
    before = known(session.id, sender_id, draft.client_key)
    if before is not None:
        return Sent(before, _tells_of_crisis(before.body, draft.alt))
    body, kinds = checked(draft)
    refuse_if_still(session)
    last = db.session.scalar(
        select(func.max(ReadingMessage.number)).where(ReadingMessage.reading_session_id == session.id)
    )
    message = ReadingMessage(
        reading_session_id=session.id,
        number=(last or 0) + 1,
        sender_id=sender_id,
        client_key=key,
        body=body,
        file=None if draft.file is None else files.confirm(draft.file),
        contact_kinds=",".join(kinds) or None,
        created_at=now,
    )
    db.session.add(message)
    db.session.flush()
    crisis = _tells_of_crisis(body, draft.alt)
    for reason, note in (
        ("contact_details", ", ".join(kinds)),
        ("crisis", "Recognised by its words." * crisis),
    ):
        if note:
            flags.raise_flag("message", f"{session.id}:{message.number}", None, reason, note, None, now)
    message_marks.written(session, message.number, now)
    return Sent(message, crisis)


def _tells_of_crisis(body: str, alt: str) -> bool:
    return is_crisis(f"{body}\n{alt}")


def after(session_id: int, number: int, limit: int) -> list[ReadingMessage]:
    """Messages with a higher number, oldest first."""
    return list(
        db.session.scalars(
            _WITH_FILE.where(ReadingMessage.reading_session_id == session_id, ReadingMessage.number > number)
            .order_by(ReadingMessage.number)
            .limit(limit)
        )
    )


def words(message: ReadingMessage) -> str | None:
    """What is shown of a message: its words, or those that a moderator left of it; None where it is hidden."""
    if message.hidden_at is not None:
        return None
    return message.body if message.edited_body is None else message.edited_body


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
