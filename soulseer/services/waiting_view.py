"""What a client sees of their waiting: place and estimate at one reader, and the news that any page may show."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, text

from soulseer.db import Read, db
from soulseer.domain import policies
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.waiting import FreeNotice, QueuePlace

SHORTEST = timedelta(minutes=2)
STEP = 5

_place: Any = QueuePlace.__table__
_notice: Any = FreeNotice.__table__
# Beside the person that a request reads first: whether they wait for somebody, or were told and have not seen it.
WAITS_OF_PERSON = or_(
    select(_place.c.id)
    .where(
        _place.c.client_id == Person.__table__.c.id,
        # Not in_(): a statement that is built once has fixed words.
        or_(_place.c.state == "waiting", _place.c.state == "held"),
    )
    .correlate(Person.__table__)
    .exists(),
    select(_notice.c.id)
    .where(
        _notice.c.client_id == Person.__table__.c.id,
        or_(_notice.c.state == "open", _notice.c.state == "told"),
    )
    .correlate(Person.__table__)
    .exists(),
)

# The reader, their queue, the viewer in it, how long their readings last and how long this one has: one statement.
_STANDING = Read(
    text("""
SELECT r.person_id AS reader_id, r.display_name, r.slug, r.online, l.person_id IS NOT NULL AS busy, s.activated_at,
       (SELECT count(*) FROM queue_place q WHERE q.reader_id = r.person_id AND q.state IN ('waiting', 'held')) AS length,
       own.id AS own_id, own.state AS own_state, own.held_until,
       (SELECT count(*) FROM queue_place q WHERE q.reader_id = r.person_id AND q.state IN ('waiting', 'held')
            AND q.id <= own.id) AS place,
       EXISTS (SELECT FROM free_notice n WHERE n.client_id = :client AND n.reader_id = r.person_id
               AND n.state = 'open' AND n.expires_at > :now) AS told,
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY recent.active_microseconds)
        FROM (SELECT active_microseconds FROM reading_session d WHERE d.reader_id = r.person_id
              AND d.state = 'finalized' AND d.active_microseconds > 0 ORDER BY d.id DESC LIMIT 20) recent) AS usual
FROM reader_profile r
    LEFT JOIN live_participant l ON l.person_id = r.person_id
    LEFT JOIN reading_session s ON s.id = l.reading_session_id
    LEFT JOIN queue_place own ON own.client_id = :client AND own.reader_id = r.person_id AND own.state IN ('waiting', 'held')
WHERE r.slug = :slug AND r.listed
""")
)


@dataclass(frozen=True)
class Standing:
    """How a reader stands for a client. ``place``: from 1, None outside the queue; ``length`` of the queue;
    ``held_until``: it is this client's turn until then; ``about``: the estimate in words, for the place that the
    client has or would take; ``told``: they are told when the reader is free."""

    reader_id: int
    name: str
    slug: str
    online: bool
    busy: bool
    length: int
    place: int | None
    held_until: datetime | None
    about: str
    told: bool


@dataclass(frozen=True)
class Turn:
    """It is the client's turn to ring this reader, until ``until``."""

    name: str
    slug: str
    until: datetime


@dataclass(frozen=True)
class News:
    """What a waiting client should see on any page: a turn, and the readers (name, slug) who are free."""

    turn: Turn | None = None
    free: tuple[tuple[str, str], ...] = ()


def standing(slug: str, client_id: int, now: datetime) -> Standing | None:
    """How the listed reader stands for the client at ``now``; None where there is no such reader. One statement."""
    row = _STANDING.first({"slug": slug, "client": client_id, "now": now})
    if row is None:
        return None
    ahead = (row.place - 1) if row.own_id else row.length
    usual = (
        timedelta(microseconds=float(row.usual)) if row.usual else policies.current().waiting.usual_reading
    )
    return Standing(
        reader_id=row.reader_id,
        name=row.display_name,
        slug=row.slug,
        online=row.online,
        busy=row.busy,
        length=row.length,
        place=row.place if row.own_id else None,
        held_until=row.held_until if row.own_state == "held" and row.held_until > now else None,
        about=about(estimate(usual, row.activated_at if row.busy else None, row.busy, ahead, now)),
        told=row.told,
    )


def estimate(
    usual: timedelta, active_since: datetime | None, busy: bool, ahead: int, now: datetime
) -> timedelta:
    """How long it may take: what is left of the reading that runs, by the usual length, and one for each ahead."""
    rest = timedelta(0)
    if busy:
        rest = max(SHORTEST, usual - (now - active_since if active_since else timedelta(0)))
    return rest + ahead * usual


def about(wait: timedelta) -> str:
    """An estimate in words: "about 10–15 minutes"."""
    minutes = wait / timedelta(minutes=1)
    if minutes < STEP:
        return "less than 5 minutes"
    if minutes >= 60:
        return "more than an hour"
    low = int(minutes // STEP) * STEP
    return f"about {low}–{low + STEP} minutes"


def news(client_id: int, now: datetime) -> News:
    """The turn that the client has, and the readers of whom they were told and have not seen it. Two statements."""
    turn = db.session.execute(
        select(ReaderProfile.display_name, ReaderProfile.slug, QueuePlace.held_until)
        .join(QueuePlace, QueuePlace.reader_id == ReaderProfile.person_id)
        .where(QueuePlace.client_id == client_id, QueuePlace.state == "held", QueuePlace.held_until > now)
    ).one_or_none()
    free = db.session.execute(
        select(ReaderProfile.display_name, ReaderProfile.slug)
        .join(FreeNotice, FreeNotice.reader_id == ReaderProfile.person_id)
        .where(FreeNotice.client_id == client_id, FreeNotice.state == "told", FreeNotice.expires_at > now)
        .group_by(ReaderProfile.display_name, ReaderProfile.slug)
        .order_by(func.max(FreeNotice.id).desc())
        .limit(3)
    ).all()
    return News(
        None if turn is None else Turn(turn.display_name, turn.slug, turn.held_until),
        tuple((row.display_name, row.slug) for row in free),
    )
