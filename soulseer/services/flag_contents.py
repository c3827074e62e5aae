"""The kinds of content that the house has: profiles, reviews, messages and sessions (services/flag_kinds.py)."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, Review
from soulseer.models.readings import ReadingMessage, ReadingSession, ReadingSessionEvent
from soulseer.services import reader_gates, reviews
from soulseer.services.flag_kinds import Before, ContentKind, Context, Line, Thing, declare
from soulseer.services.reader_settings import LONGEST

AROUND = 5
_GONE = "There is nothing here to report."
_LARGEST = 2**63 - 1


def number(object_id: str) -> int:
    """An object's number. Raises NotFound for anything else."""
    if not (
        object_id.isascii() and object_id.isdigit() and len(object_id) < 20 and int(object_id) <= _LARGEST
    ):
        raise NotFound(_GONE)
    return int(object_id)


def message_place(object_id: str) -> tuple[int, int]:
    """``17:3`` → session 17, message 3. Raises NotFound."""
    session, _, place = object_id.partition(":")
    if len(place) > 9:
        raise NotFound(_GONE)
    return number(session), number(place)


# Profiles: object_id is the person's number -----------------------------------------------------------------------------


def _find_profile(object_id: str, reporter_id: int | None) -> Thing:
    found = db.session.execute(
        select(Person.id, Person.handle, ReaderProfile)
        .outerjoin(ReaderProfile, ReaderProfile.person_id == Person.id)
        .where(Person.id == number(object_id))
    ).one_or_none()
    if found is None:
        raise NotFound(_GONE)
    person_id, handle, reader = found
    snapshot: dict[str, Any] = {"handle": handle}
    if reader is None:
        return Thing(str(person_id), person_id, snapshot, can_hide=False)
    if reporter_id is not None and not reader.listed:
        raise NotFound(_GONE)
    snapshot |= {field: getattr(reader, field) for field in LONGEST}
    return Thing(str(person_id), person_id, snapshot, not reader.listed, f"/readers/{reader.slug}/")


def _reader(object_id: str) -> ReaderProfile:
    reader = db.session.get(ReaderProfile, number(object_id), with_for_update=True, populate_existing=True)
    if reader is None:
        raise Conflict("This person has no public page.")
    return reader


def _hide_profile(object_id: str, now: datetime) -> Before:
    reader = _reader(object_id)
    before = {"listed": reader.listed, "online": reader.online}
    reader.listed = reader.online = False
    return before


def _unhide_profile(object_id: str, before: Before) -> None:
    reader = _reader(object_id)
    # Whoever lost their place as a reader meanwhile is not listed again by this.
    again = reader_gates.listed_again(reader.person_id, bool(before["listed"]), hidden=False)
    reader.listed = again and reader.status == "verified"
    reader.online = bool(before["online"]) and reader.listed


def _edit_profile(object_id: str, field: str, text: str) -> Before:
    reader = _reader(object_id)
    if len(text) > LONGEST[field]:
        raise InvalidInput("text", f"At most {LONGEST[field]} characters.")
    before = {"field": field, "before": getattr(reader, field), "after": text}
    setattr(reader, field, text)
    return before


def _restore_profile(object_id: str, before: Before) -> None:
    reader = _reader(object_id)
    # What the reader wrote in the meantime is newer than what was taken out.
    if getattr(reader, before["field"]) == before["after"]:
        setattr(reader, before["field"], before["before"])


# Reviews: object_id is the review's number ---------------------------------------------------------------------------------


def _find_review(object_id: str, reporter_id: int | None) -> Thing:
    found = db.session.execute(
        select(Review, ReaderProfile.slug, Person.handle)
        .join(ReaderProfile, ReaderProfile.person_id == Review.reader_id)
        .join(Person, Person.id == Review.client_id)
        .where(Review.id == number(object_id))
    ).one_or_none()
    if found is None or (reporter_id is not None and found.Review.hidden_at is not None):
        raise NotFound(_GONE)
    review: Review = found.Review
    text = review.body if review.edited_body is None else review.edited_body
    snapshot = {"by": found.handle, "stars": review.stars, "text": text}
    return Thing(
        str(review.id), review.client_id, snapshot, review.hidden_at is not None, f"/readers/{found.slug}/"
    )


def _review(object_id: str) -> Review:
    review = db.session.get(Review, number(object_id), with_for_update=True, populate_existing=True)
    if review is None:
        raise NotFound(_GONE)
    return review


def _hide_review(object_id: str, now: datetime) -> Before:
    review = _review(object_id)
    if review.hidden_at is not None:
        return {"was_hidden": True}
    review.hidden_at = now
    reviews.count(review.reader_id, {review.stars: -1})
    return {"was_hidden": False}


def _unhide_review(object_id: str, before: Before) -> None:
    review = _review(object_id)
    if before["was_hidden"] or review.hidden_at is None:
        return
    review.hidden_at = None
    reviews.count(review.reader_id, {review.stars: 1})


def _edit_review(object_id: str, field: str, text: str) -> Before:
    review = _review(object_id)
    before = {"edited_body": review.edited_body}
    review.edited_body = text
    return before


def _restore_review(object_id: str, before: Before) -> None:
    _review(object_id).edited_body = before["edited_body"]


def _around_review(object_id: str) -> Context:
    """The reading that it is about, and the author's other reviews."""
    review = db.session.get(Review, number(object_id))
    if review is None:
        return Context()
    session = db.session.get_one(ReadingSession, review.reading_session_id)
    words = f"{session.modality} reading, {session.minutes_billed} minutes, {session.state}"
    others = db.session.scalars(
        select(Review)
        .where(Review.client_id == review.client_id, Review.id != review.id)
        .order_by(Review.id.desc())
        .limit(AROUND)
    )
    after = [Line(row.created_at, "other review", f"{row.stars} stars: {row.body}") for row in others]
    return Context([Line(session.created_at, f"reading {session.id}", words)], after)


# Messages: object_id is ``session:number`` -----------------------------------------------------------------------------


def _find_message(object_id: str, reporter_id: int | None) -> Thing:
    session_id, place = message_place(object_id)
    found = db.session.execute(
        select(ReadingMessage, Person.handle, ReadingSession.client_id, ReadingSession.reader_id)
        .join(ReadingSession, ReadingSession.id == ReadingMessage.reading_session_id)
        .join(Person, Person.id == ReadingMessage.sender_id)
        .where(ReadingMessage.reading_session_id == session_id, ReadingMessage.number == place)
    ).one_or_none()
    if found is None or (reporter_id is not None and reporter_id not in (found.client_id, found.reader_id)):
        raise NotFound(_GONE)
    message: ReadingMessage = found.ReadingMessage
    text = message.body if message.edited_body is None else message.edited_body
    snapshot = {"by": found.handle, "reading": session_id, "text": text}
    return Thing(f"{session_id}:{place}", message.sender_id, snapshot, message.hidden_at is not None)


def _message(object_id: str) -> ReadingMessage:
    message = db.session.get(
        ReadingMessage, message_place(object_id), with_for_update=True, populate_existing=True
    )
    if message is None:
        raise NotFound(_GONE)
    return message


def _hide_message(object_id: str, now: datetime) -> Before:
    message = _message(object_id)
    before = {"was_hidden": message.hidden_at is not None}
    message.hidden_at = message.hidden_at or now
    return before


def _unhide_message(object_id: str, before: Before) -> None:
    if not before["was_hidden"]:
        _message(object_id).hidden_at = None


def _edit_message(object_id: str, field: str, text: str) -> Before:
    message = _message(object_id)
    before = {"edited_body": message.edited_body}
    message.edited_body = text
    return before


def _restore_message(object_id: str, before: Before) -> None:
    _message(object_id).edited_body = before["edited_body"]


def _around_message(object_id: str) -> Context:
    session_id, place = message_place(object_id)
    rows = db.session.execute(
        select(ReadingMessage, Person.handle)
        .join(Person, Person.id == ReadingMessage.sender_id)
        .where(
            ReadingMessage.reading_session_id == session_id,
            ReadingMessage.number.between(place - AROUND, place + AROUND),
            ReadingMessage.number != place,
        )
        .order_by(ReadingMessage.number)
    ).all()
    lines = [(row.number, Line(row.created_at, handle, row.body)) for row, handle in rows]
    return Context(
        [line for at, line in lines if at < place],
        [line for at, line in lines if at > place],
    )


# Sessions: object_id is the session's number; whom it is about, the flag says -------------------------------------------


def _find_session(object_id: str, reporter_id: int | None) -> Thing:
    session = db.session.get(ReadingSession, number(object_id))
    if session is None or (reporter_id is not None and session.role_of(reporter_id) is None):
        raise NotFound(_GONE)
    author = None
    if reporter_id is not None:
        author = session.reader_id if reporter_id == session.client_id else session.client_id
    rows = db.session.execute(
        select(Person.id, Person.handle).where(Person.id.in_([session.client_id, session.reader_id]))
    )
    handles = {row[0]: row[1] for row in rows}
    client, reader = handles[session.client_id], handles[session.reader_id]
    snapshot = {
        "shows": f"{session.modality.capitalize()} reading of {client} with {reader}",
        "asked for": session.created_at.isoformat(timespec="seconds"),
    }
    return Thing(str(session.id), author, snapshot)


def _around_session(object_id: str) -> Context:
    """Its moves and its last words, in one order of time."""
    session_id = number(object_id)
    events = db.session.scalars(
        select(ReadingSessionEvent)
        .where(ReadingSessionEvent.reading_session_id == session_id)
        .order_by(ReadingSessionEvent.id)
        .limit(20)
    )
    words = db.session.execute(
        select(ReadingMessage, Person.handle)
        .join(Person, Person.id == ReadingMessage.sender_id)
        .where(ReadingMessage.reading_session_id == session_id)
        .order_by(ReadingMessage.number.desc())
        .limit(20)
    )
    lines = [
        Line(row.effective_at, row.actor_role, f"{row.action} → {row.to_state} {row.cause or ''}".strip())
        for row in events
    ]
    lines += [Line(row.created_at, handle, f"“{row.body}”") for row, handle in words]
    return Context(after=sorted(lines, key=lambda line: line.at))


declare(
    ContentKind(
        "profile", "Profile", _find_profile, hide=_hide_profile, unhide=_unhide_profile,
        fields=tuple(LONGEST), edit=_edit_profile, restore=_restore_profile,
    )
)  # fmt: skip
declare(
    ContentKind(
        "review", "Review", _find_review, _around_review, _hide_review, _unhide_review,
        ("text",), _edit_review, _restore_review,
    )
)  # fmt: skip
declare(
    ContentKind(
        "message", "Message", _find_message, _around_message, _hide_message, _unhide_message,
        ("text",), _edit_message, _restore_message,
    )
)  # fmt: skip
declare(ContentKind("session", "Reading", _find_session, _around_session))
