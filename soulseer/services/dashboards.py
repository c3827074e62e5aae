"""What clients and readers have now: the live session, recent sessions, money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.sql.elements import ColumnElement

from soulseer.db import db
from soulseer.domain.money import earned_cents, from_cents
from soulseer.domain.readings import Role, State
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, Review
from soulseer.models.readings import LiveParticipant, ReadingSession

PAGE = 20


@dataclass(frozen=True)
class LiveReading:
    """The one live session a person is in. ``other_name``: the reader's name, or the client's handle."""

    reading_session_id: int
    role: Role
    state: State
    modality: str
    rate: Decimal
    other_name: str
    created_at: datetime
    ring_until: datetime
    reader_joined: bool

    @property
    def rings(self) -> bool:
        """A client waits for this reader to answer."""
        return (
            self.role is Role.READER
            and self.state in (State.CREATED, State.WAITING)
            and not self.reader_joined
        )


@dataclass(frozen=True)
class SessionLine:
    """One of a person's sessions. ``amount``, dollars: what the client paid, or what the reader earned."""

    id: int
    role: Role
    other_name: str
    reader_slug: str
    modality: str
    state: State
    created_at: datetime
    minutes: int
    rate: Decimal
    amount: Decimal
    stars: int | None
    live: bool

    @property
    def reviewable(self) -> bool:
        paid = self.minutes > 0 and self.amount > 0
        return self.role is Role.CLIENT and self.state is State.FINALIZED and paid and self.stars is None


def live_reading(person_id: int) -> LiveReading | None:
    """The live session the person is in, in one statement over primary keys; None for most."""
    row = db.session.execute(
        select(
            ReadingSession.id,
            ReadingSession.client_id,
            ReadingSession.state,
            ReadingSession.modality,
            ReadingSession.rate_cents,
            ReadingSession.created_at,
            ReadingSession.ring_until,
            ReadingSession.reader_joined_at,
            Person.handle,
            ReaderProfile.display_name,
        )
        .select_from(LiveParticipant)
        .join(ReadingSession, ReadingSession.id == LiveParticipant.reading_session_id)
        .join(Person, Person.id == ReadingSession.client_id)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .where(LiveParticipant.person_id == person_id)
    ).one_or_none()
    if row is None:
        return None
    role = Role.CLIENT if row.client_id == person_id else Role.READER
    return LiveReading(
        reading_session_id=row.id,
        role=role,
        state=State(row.state),
        modality=row.modality,
        rate=from_cents(row.rate_cents),
        other_name=row.display_name if role is Role.CLIENT else row.handle,
        created_at=row.created_at,
        ring_until=row.ring_until,
        reader_joined=row.reader_joined_at is not None,
    )


def sessions(
    person_id: int,
    role: Role,
    before: int | None = None,
    limit: int = PAGE,
    conditions: Sequence[ColumnElement[bool]] = (),
) -> tuple[Sequence[SessionLine], int | None]:
    """(the person's sessions in ``role``, newest first, the ``before`` of the next page or None), in one statement.

    ``conditions`` narrow it, on ReadingSession, ReaderProfile and (the client) Person.
    """
    query = _sessions().where(
        (ReadingSession.client_id if role is Role.CLIENT else ReadingSession.reader_id) == person_id
    )
    if before is not None:
        query = query.where(ReadingSession.id < before)
    query = query.where(*conditions)
    rows = db.session.execute(query.order_by(ReadingSession.id.desc()).limit(limit + 1)).all()
    lines = [_line(row, role) for row in rows[:limit]]
    return lines, lines[-1].id if len(rows) > limit else None


def _sessions() -> Select[*tuple[Any, ...]]:
    return (
        select(
            ReadingSession.id,
            ReadingSession.modality,
            ReadingSession.state,
            ReadingSession.created_at,
            ReadingSession.minutes_billed,
            ReadingSession.rate_cents,
            ReadingSession.reader_rate_cents,
            ReadingSession.credit_cents,
            ReadingSession.reader_share,
            Person.handle,
            ReaderProfile.display_name,
            ReaderProfile.slug,
            Review.stars,
        )
        .join(Person, Person.id == ReadingSession.client_id)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .outerjoin(Review, Review.reading_session_id == ReadingSession.id)
    )


def _line(row: Row[*tuple[Any, ...]], role: Role) -> SessionLine:
    if role is Role.CLIENT:
        cents = row.minutes_billed * row.rate_cents - row.credit_cents
    else:
        cents = earned_cents(
            row.minutes_billed, row.rate_cents, row.reader_rate_cents, row.credit_cents, row.reader_share
        )
    state = State(row.state)
    return SessionLine(
        id=row.id,
        role=role,
        other_name=row.display_name if role is Role.CLIENT else row.handle,
        reader_slug=row.slug,
        modality=row.modality,
        state=state,
        created_at=row.created_at,
        minutes=row.minutes_billed,
        rate=from_cents(row.rate_cents),
        amount=from_cents(cents),
        stars=row.stars,
        live=state not in (State.ENDED, State.FINALIZED),
    )
