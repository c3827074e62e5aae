"""Reviews: by the client of a finalized, paid reading session, one a session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from soulseer.db import Read, db
from soulseer.domain.errors import AlreadyReviewed, InvalidInput, NotFound, NotParticipant, NotReviewable
from soulseer.domain.readings import State
from soulseer.domain.texts import clean_text
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, Review
from soulseer.models.readings import ReadingSession

PAGE = 10
LONGEST = 2000
BEGINNING = 2**63 - 1

# On the tables and built once, since building it took longer than answering it.
_review: Any = Review.__table__
_person: Any = Person.__table__
_OF_READER = Read(
    select(_review.c.id, _person.c.handle, _review.c.stars, _review.c.body, _review.c.created_at)
    .select_from(_review)
    .join(_person, _person.c.id == _review.c.client_id)
    .where(
        _review.c.reader_id == bindparam("reader", type_=BigInteger),
        _review.c.id < bindparam("before", type_=BigInteger),
    )
    .order_by(_review.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True)
class ReviewLine:
    """A review as shown on the reader's profile."""

    id: int
    handle: str
    stars: int
    body: str
    created_at: datetime


@dataclass(frozen=True)
class Reviewable:
    """What the review's page says of the reading: its reader, and whether it may be reviewed."""

    reading_session_id: int
    reader_name: str
    reader_slug: str


def reviewable(reading_session_id: int, client_id: int) -> Reviewable:
    """The reading, for its client to review.

    Raises NotFound, NotParticipant (anybody but the client), NotReviewable (not finalized, or nothing paid) and
    AlreadyReviewed.
    """
    session, reader = _reviewable(reading_session_id, client_id)
    if db.session.scalar(select(Review.id).where(Review.reading_session_id == session.id)) is not None:
        raise AlreadyReviewed
    return Reviewable(session.id, reader.display_name, reader.slug)


def write(reading_session_id: int, client_id: int, stars: str, body: str, now: datetime) -> int:
    """Write the review (its id) and count it in the reader's rating, in the caller's transaction.

    ``stars`` as typed, "1" to "5"; ``body`` up to LONGEST characters, may be empty. Raises InvalidInput beside what
    ``reviewable`` raises; of two at once the second is AlreadyReviewed.
    """
    session, _ = _reviewable(reading_session_id, client_id)
    if stars not in ("1", "2", "3", "4", "5"):
        raise InvalidInput("stars", "Choose one to five stars.")
    words = clean_text("body", body, LONGEST)
    review_id: int | None = db.session.scalar(
        insert(Review)
        .values(
            reading_session_id=session.id,
            client_id=client_id,
            reader_id=session.reader_id,
            stars=int(stars),
            body=words,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["reading_session_id"])
        .returning(Review.id)
    )
    if review_id is None:
        raise AlreadyReviewed
    # One statement that adds: it locks the reader's row, so that no review is lost between reading and writing.
    db.session.execute(
        update(ReaderProfile)
        .where(ReaderProfile.person_id == session.reader_id)
        .values(rating_sum=ReaderProfile.rating_sum + int(stars), rating_count=ReaderProfile.rating_count + 1)
        .execution_options(synchronize_session=False)
    )
    return review_id


def of_reader(
    reader_id: int, before: int | None = None, limit: int = PAGE
) -> tuple[Sequence[ReviewLine], int | None]:
    """(the reader's reviews, newest first, the ``before`` of the next page or None), in one statement."""
    values = {"reader": reader_id, "before": BEGINNING if before is None else before, "limit": limit + 1}
    rows = [ReviewLine(*row) for row in _OF_READER.rows(values)]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def _reviewable(reading_session_id: int, client_id: int) -> tuple[ReadingSession, ReaderProfile]:
    found = db.session.execute(
        select(ReadingSession, ReaderProfile)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .where(ReadingSession.id == reading_session_id)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such reading.")
    session, reader = found
    if session.client_id != client_id:
        raise NotParticipant("Only the client of a reading can review it.")
    if session.state != State.FINALIZED:
        raise NotReviewable("A reading can be reviewed once it is finished and settled.")
    if session.minutes_billed == 0 or session.cost <= 0:
        raise NotReviewable("Only a reading that was paid for can be reviewed.")
    return session, reader
