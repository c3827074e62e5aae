"""Blocking: whoever blocks somebody is in no reading with them any more, in either role, and the live one ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain.errors import GraceOver, IllegalMove, InvalidInput, NotFound, RingOver
from soulseer.gateways.presence import Signs
from soulseer.models.people import Block, Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import LiveParticipant, ReadingSession
from soulseer.services import readings

MOST_SHOWN = 500


@dataclass(frozen=True)
class Blocked:
    """Somebody whom one has blocked; ``name`` is a reader's name, else the handle."""

    handle: str
    name: str
    since: datetime


def other_in(session_id: int, person_id: int) -> int:
    """The other participant of one's reading. Raises NotFound, NotParticipant."""
    session = readings.find(session_id)
    readings.caller_of(session, person_id)
    return session.reader_id if person_id == session.client_id else session.client_id


def reader_called(slug: str) -> int:
    """The person behind a reader's page. Raises NotFound."""
    found = db.session.scalar(select(ReaderProfile.person_id).where(ReaderProfile.slug == slug))
    if found is None:
        raise NotFound("There is no such reader.")
    return int(found)


def live_between(one: int, other: int) -> int | None:
    """The live reading that two people have with each other. One statement."""
    second = aliased(LiveParticipant)
    found: int | None = db.session.scalar(
        select(LiveParticipant.reading_session_id)
        .join(second, second.reading_session_id == LiveParticipant.reading_session_id)
        .where(LiveParticipant.person_id == one, second.person_id == other)
    )
    return found


def block(
    blocker_id: int, blocked_id: int, now: datetime, signs: Signs | None = None
) -> ReadingSession | None:
    """Block somebody; again, nothing changes. A live reading of the two ends, as ended by the blocker; gives it.

    ``signs``: the last signs of life in that reading, None where nothing is known. Raises InvalidInput (oneself).
    """
    if blocker_id == blocked_id:
        raise InvalidInput("person", "You cannot block yourself.")
    db.session.execute(
        upsert(Block)
        .values(blocker_id=blocker_id, blocked_id=blocked_id, created_at=now)
        .on_conflict_do_nothing()
    )
    session_id = live_between(blocker_id, blocked_id)
    if session_id is None:
        return None
    caller = readings.caller_of(readings.find(session_id), blocker_id)
    try:
        return readings.end(session_id, caller, now, signs or Signs(now, None, None))
    except (IllegalMove, RingOver, GraceOver):
        # It was over by itself; what settling it found is kept.
        return readings.find(session_id)


def unblock(blocker_id: int, handle: str) -> None:
    """Take a block back. Raises NotFound where there is none."""
    person = select(Person.id).where(func.lower(Person.handle) == handle.strip().lower()).scalar_subquery()
    gone = db.session.scalar(
        delete(Block)
        .where(Block.blocker_id == blocker_id, Block.blocked_id == person)
        .returning(Block.blocked_id)
    )
    if gone is None:
        raise NotFound("You have not blocked anybody of this name.")


def blocked_by(person_id: int) -> Sequence[Blocked]:
    """Whom the person has blocked, newest first. One statement."""
    rows = db.session.execute(
        select(Person.handle, func.coalesce(ReaderProfile.display_name, Person.handle), Block.created_at)
        .join(Person, Person.id == Block.blocked_id)
        .outerjoin(ReaderProfile, ReaderProfile.person_id == Person.id)
        .where(Block.blocker_id == person_id)
        .order_by(Block.created_at.desc(), Block.blocked_id)
        .limit(MOST_SHOWN)
    )
    return [Blocked(*row) for row in rows]
