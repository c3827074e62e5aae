"""Reviews: by the client of a finalized, paid reading session, one a session, with one answer by the reader.

A reading that was refunded afterwards may be reviewed, and keeps its review: what somebody lived through is not undone
by the money, and a refund must not buy silence. One that cost nothing in the end (no paid minute, or all of it given
back at its end) may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Integer, and_, bindparam, func, or_, select, update
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
LONGEST_ANSWER = 1000
STARS = (1, 2, 3, 4, 5)
# For so long the client may change it.
EDITABLE = timedelta(days=14)


class Order(StrEnum):
    NEWEST = "newest"
    HIGHEST = "highest"
    LOWEST = "lowest"


@dataclass(frozen=True)
class Wanted:
    """Which reviews of a reader, in which order; ``stars`` None: all. ``after`` is the last one shown: (stars, id)."""

    order: Order = Order.NEWEST
    stars: int | None = None
    after: tuple[int, int] | None = None


@dataclass(frozen=True)
class ReviewLine:
    """A review as shown on the reader's profile."""

    id: int
    handle: str
    stars: int
    body: str
    created_at: datetime
    edited_at: datetime | None = None
    answer: str | None = None
    answered_at: datetime | None = None
    answer_edited_at: datetime | None = None


@dataclass(frozen=True)
class Reviewable:
    """What the review's page says of the reading: its reader, and what was written before, to be changed until
    ``editable_until``."""

    reading_session_id: int
    reader_name: str
    reader_slug: str
    stars: int | None = None
    body: str = ""
    editable_until: datetime | None = None


# On the tables and built once, since building it took longer than answering it.
_review: Any = Review.__table__
_person: Any = Person.__table__
_STARS, _ID = bindparam("stars", type_=Integer), bindparam("id", type_=BigInteger)
_FIRST = {Order.NEWEST: (0, 2**63 - 1), Order.HIGHEST: (6, 2**63 - 1), Order.LOWEST: (0, 0)}
_BY_STARS = _review.c.stars
_AFTER = {
    Order.NEWEST: _review.c.id < _ID,
    Order.HIGHEST: or_(_BY_STARS < _STARS, and_(_BY_STARS == _STARS, _review.c.id < _ID)),
    Order.LOWEST: or_(_BY_STARS > _STARS, and_(_BY_STARS == _STARS, _review.c.id > _ID)),
}
_ORDER = {
    Order.NEWEST: (_review.c.id.desc(),),
    Order.HIGHEST: (_BY_STARS.desc(), _review.c.id.desc()),
    Order.LOWEST: (_BY_STARS, _review.c.id),
}


def _listing(order: Order, *, filtered: bool) -> Read:
    found = (
        select(
            _review.c.id,
            _person.c.handle,
            _review.c.stars,
            func.coalesce(_review.c.edited_body, _review.c.body),
            _review.c.created_at,
            _review.c.edited_at,
            _review.c.answer,
            _review.c.answered_at,
            _review.c.answer_edited_at,
        )
        .select_from(_review)
        .join(_person, _person.c.id == _review.c.client_id)
        .where(
            _review.c.reader_id == bindparam("reader", type_=BigInteger),
            _review.c.hidden_at.is_(None),
            _AFTER[order],
        )
        .order_by(*_ORDER[order])
        .limit(bindparam("limit", type_=Integer))
    )
    return Read(found.where(bindparam("only", type_=Integer) == _BY_STARS) if filtered else found)


_LISTINGS = {
    (order, filtered): _listing(order, filtered=filtered) for order in Order for filtered in (False, True)
}


def of_reader(
    reader_id: int, wanted: Wanted | None = None, limit: int = PAGE
) -> tuple[Sequence[ReviewLine], tuple[int, int] | None]:
    """(the reader's reviews that are shown, the ``after`` of the next page or None), in one statement."""
    wanted = wanted or Wanted()
    stars, last = wanted.after or _FIRST[wanted.order]
    values = {"reader": reader_id, "id": last, "limit": limit + 1}
    if wanted.order is not Order.NEWEST:
        values["stars"] = stars
    if wanted.stars is not None:
        values["only"] = wanted.stars
    rows = [ReviewLine(*row) for row in _LISTINGS[wanted.order, wanted.stars is not None].rows(values)]
    following = (rows[limit - 1].stars, rows[limit - 1].id) if len(rows) > limit else None
    return rows[:limit], following


def reviewable(reading_session_id: int, client_id: int, now: datetime) -> Reviewable:
    """The reading, for its client to review, or to change what they wrote.

    Raises NotFound, NotParticipant (anybody but the client), NotReviewable (not finalized, nothing paid, or a moderator
    has touched it), AlreadyReviewed (and too long ago to change it).
    """
    session, reader = _reviewable(reading_session_id, client_id)
    review = db.session.scalar(select(Review).where(Review.reading_session_id == session.id))
    if review is None:
        return Reviewable(session.id, reader.display_name, reader.slug)
    until = _editable_until(review, now)
    return Reviewable(session.id, reader.display_name, reader.slug, review.stars, review.body, until)


def write(reading_session_id: int, client_id: int, stars: str, body: str, now: datetime) -> int:
    """Write the review (its id) and count it in the reader's rating, in the caller's transaction.

    ``stars`` as typed, "1" to "5"; ``body`` up to LONGEST characters, may be empty. Raises InvalidInput beside what
    ``reviewable`` raises; of two at once the second is AlreadyReviewed.
    """
    session, _ = _reviewable(reading_session_id, client_id)
    number, words = _checked(stars, body)
    review_id: int | None = db.session.scalar(
        insert(Review)
        .values(
            reading_session_id=session.id,
            client_id=client_id,
            reader_id=session.reader_id,
            stars=number,
            body=words,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["reading_session_id"])
        .returning(Review.id)
    )
    if review_id is None:
        raise AlreadyReviewed
    count(session.reader_id, {number: 1})
    return review_id


def edit(reading_session_id: int, client_id: int, stars: str, body: str, now: datetime) -> int:
    """Change the client's own review (its id) while it may be; what was there before is not kept. Raises as ``write``."""
    session, _ = _reviewable(reading_session_id, client_id)
    number, words = _checked(stars, body)
    review = _locked(session.id)
    _editable_until(review, now)
    if (review.stars, review.body) != (number, words):
        if review.stars != number:
            count(review.reader_id, {review.stars: -1, number: 1})
        review.stars, review.body, review.edited_at = number, words, now
        db.session.flush()
    return review.id


def answer(reading_session_id: int, reader_id: int, body: str, now: datetime) -> int:
    """The reader's one answer to the review of a reading, written or written anew; gives the review's id.

    Raises NotFound (no such review, or it is hidden), NotParticipant for anybody but its reader, InvalidInput.
    """
    words = clean_text("answer", body, LONGEST_ANSWER, minimum=1)
    review = _locked(reading_session_id)
    if review.reader_id != reader_id:
        raise NotParticipant("Only the reader answers a review.")
    if review.hidden_at is not None:
        raise NotFound("This review is not shown.")
    if review.answer is None:
        review.answer, review.answered_at = words, now
    elif review.answer != words:
        review.answer, review.answer_edited_at = words, now
    db.session.flush()
    return review.id


def count(reader_id: int, stars: dict[int, int]) -> None:
    """Add to the reader's rating: so many reviews by their stars, below zero for those that count no more.

    One statement that adds: it locks the reader's row, so that no review is lost between reading and writing.
    """
    columns = {getattr(ReaderProfile, f"stars_{number}"): by for number, by in stars.items()}
    columns[ReaderProfile.rating_sum] = sum(number * by for number, by in stars.items())
    columns[ReaderProfile.rating_count] = sum(stars.values())
    db.session.execute(
        update(ReaderProfile)
        .where(ReaderProfile.person_id == reader_id)
        .values({column: column + by for column, by in columns.items()})
        .execution_options(synchronize_session=False)
    )


def _checked(stars: str, body: str) -> tuple[int, str]:
    if stars not in [str(number) for number in STARS]:
        raise InvalidInput("stars", "Choose one to five stars.")
    return int(stars), clean_text("body", body, LONGEST)


def _locked(reading_session_id: int) -> Review:
    review: Review | None = db.session.scalar(
        select(Review)
        .where(Review.reading_session_id == reading_session_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if review is None:
        raise NotFound("There is no such review.")
    return review


def _editable_until(review: Review, now: datetime) -> datetime:
    """Until when it may be changed. Raises AlreadyReviewed, NotReviewable where it may not."""
    if review.hidden_at is not None or review.edited_body is not None:
        raise NotReviewable("A moderator has looked at this review; it stays as it is.")
    if now >= review.created_at + EDITABLE:
        raise AlreadyReviewed(f"A review can be changed for {EDITABLE.days} days.")
    return review.created_at + EDITABLE


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
