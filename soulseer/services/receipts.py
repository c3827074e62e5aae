"""What a reading came to, line by line from the ledger: minutes, pauses between them, fair credit (design §4).

A minute is told twice: when its time began, worked out from the stretches that were active, and when it was charged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, case, exists, select

from soulseer.db import Read, db
from soulseer.domain.errors import NotFound
from soulseer.domain.money import from_cents
from soulseer.domain.readings import PauseCause, Role
from soulseer.domain.transfers import TransferKind
from soulseer.models.favourites import Favourite, PersonNote
from soulseer.models.ledger import ReadingMinute
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, ReaderRate, Review
from soulseer.models.readings import (
    LiveParticipant,
    ReadingNote,
    ReadingReceipt,
    ReadingSession,
    ReadingSessionEvent,
)
from soulseer.services import receipt_movements, stretches
from soulseer.services.receipt_movements import Movement
from soulseer.services.stretches import Stretch


@dataclass(frozen=True)
class About:
    """What a participant may know of a session beside its meter, in one statement.

    ``note`` is the viewer's own on the session, ``person_note`` the viewer's own on the other one, over all sessions;
    ``stars``, ``review`` and ``answer`` are of the client's review; ``code`` names the receipt of a finalized session.
    ``favourite``: the viewer keeps the reader; ``free``: the reader could be rung for another such reading now.
    """

    client_name: str
    reader_name: str
    reader_slug: str
    note: str
    stars: int | None
    code: str | None
    issued_at: datetime | None
    review: str = ""
    answer: str | None = None
    person_note: str = ""
    favourite: bool = False
    free: bool = False

    def name_of(self, role: Role) -> str:
        return self.client_name if role is Role.CLIENT else self.reader_name


class LineKind(StrEnum):
    MINUTE = "minute"
    PAUSE = "pause"
    CREDIT = "credit"
    REFUND = "refund"
    CORRECTION = "correction"


@dataclass(frozen=True)
class Line:
    """``amount`` in dollars: what the client paid or the reader earned, negative for what was given back, None for a
    pause, which costs nothing. ``charged_at`` is when a minute was booked; ``until`` and ``cause`` are a pause's."""

    kind: LineKind
    at: datetime
    amount: Decimal | None = None
    minute: int | None = None
    charged_at: datetime | None = None
    until: datetime | None = None
    cause: PauseCause | None = None


@dataclass(frozen=True)
class Tip:
    """Dollars: the client gave ``amount``, of which ``earned`` was the reader's; of the viewer's side of it ``returned``
    was given back since."""

    transaction_id: int
    at: datetime
    amount: Decimal
    earned: Decimal
    returned: Decimal


@dataclass(frozen=True)
class Receipt:
    """``total`` is the sum of the lines. ``events`` are all moves, in the order of their recording. ``refunds`` are what
    was given back or corrected after the receipt was written: they stand beneath it. ``tips`` are no part of either."""

    lines: tuple[Line, ...]
    total: Decimal
    events: tuple[ReadingSessionEvent, ...]
    refunds: tuple[Line, ...] = ()
    tips: tuple[Tip, ...] = ()

    @property
    def left(self) -> Decimal:
        """The total less what was given back since."""
        return self.total + sum((line.amount for line in self.refunds if line.amount is not None), Decimal(0))


# On the tables and built once, since building it took longer than answering it.
_session: Any = ReadingSession.__table__
_person: Any = Person.__table__
_reader: Any = ReaderProfile.__table__
_note: Any = ReadingNote.__table__
_review: Any = Review.__table__
_receipt: Any = ReadingReceipt.__table__
_person_note: Any = PersonNote.__table__
_favourite: Any = Favourite.__table__
_live: Any = LiveParticipant.__table__
_rate: Any = ReaderRate.__table__
_VIEWER = bindparam("viewer", type_=BigInteger)
_columns: Any = tuple(
    attribute.columns[0].label(attribute.key) for attribute in ReadingSession.__mapper__.column_attrs
)
_about = (
    select(
        _person.c.handle,
        _reader.c.display_name,
        _reader.c.slug,
        _note.c.body.label("note"),
        _review.c.stars,
        _receipt.c.code,
        _receipt.c.issued_at,
        _review.c.body.label("review"),
        _review.c.answer,
        _person_note.c.body.label("person_note"),
        exists()
        .where(_favourite.c.person_id == _VIEWER, _favourite.c.reader_id == _session.c.reader_id)
        .label("favourite"),
        and_(
            _reader.c.online,
            _reader.c.listed,
            ~exists().where(_live.c.person_id == _session.c.reader_id),
            exists().where(
                _rate.c.reader_id == _session.c.reader_id,
                _rate.c.modality == _session.c.modality,
                _rate.c.offered,
            ),
        ).label("free"),
    )
    .select_from(_session)
    .join(_person, _person.c.id == _session.c.client_id)
    .join(_reader, _reader.c.person_id == _session.c.reader_id)
    .outerjoin(
        _note,
        and_(
            _note.c.reading_session_id == _session.c.id,
            _note.c.author_id == _VIEWER,
        ),
    )
    .outerjoin(
        _person_note,
        and_(
            _person_note.c.author_id == _VIEWER,
            _person_note.c.about_id
            == case((_session.c.client_id == _VIEWER, _session.c.reader_id), else_=_session.c.client_id),
        ),
    )
    .outerjoin(_review, _review.c.reading_session_id == _session.c.id)
    .outerjoin(_receipt, _receipt.c.reading_session_id == _session.c.id)
    .where(_session.c.id == bindparam("session", type_=BigInteger))
)
_ABOUT = Read(_about)
_OPENED = Read(_about.add_columns(*_columns))
_ABOUT_COLUMNS = len(_about.selected_columns)


def about(session_id: int, viewer_id: int) -> About:
    """Names, note, review and receipt code of a session that exists."""
    return _about_from(_ABOUT.rows({"session": session_id, "viewer": viewer_id})[0])


def _about_from(row: Any) -> About:
    return About(
        client_name=row.handle,
        reader_name=row.display_name,
        reader_slug=row.slug,
        note=row.note or "",
        stars=row.stars,
        code=row.code,
        issued_at=row.issued_at,
        review=row.review or "",
        answer=row.answer,
        person_note=row.person_note or "",
        favourite=row.favourite,
        free=row.free,
    )


def opened(session_id: int, viewer_id: int) -> tuple[ReadingSession, About]:
    """A session and what a participant may know beside it, in one statement; the session is to look at only (see
    ``readings.glance``). Raises NotFound."""
    row = _OPENED.first({"session": session_id, "viewer": viewer_id})
    if row is None:
        raise NotFound(f"There is no reading {session_id}.")
    names = row._fields[_ABOUT_COLUMNS:]
    session = ReadingSession(**dict(zip(names, row[_ABOUT_COLUMNS:], strict=True)))
    return session, _about_from(row)


def receipt(session: ReadingSession, role: Role) -> Receipt:
    """The lines for the client (what was paid) or the reader (her part of each), in the order of time. What moved after
    the receipt was written, at finalization, stands beneath it."""
    events = tuple(
        db.session.scalars(
            select(ReadingSessionEvent)
            .where(ReadingSessionEvent.reading_session_id == session.id)
            .order_by(ReadingSessionEvent.id)
        )
    )
    found = stretches.of_events(events)
    movements = receipt_movements.of(session.id)
    corrected = receipt_movements.later(movements, session.finalized_at)
    credit = [
        Line(LineKind.CREDIT, one.at, _came_to(one, role))
        for one in movements
        if one.kind is TransferKind.FAIR_CREDIT and one not in corrected
    ]
    lines = [*_minutes(session, role, found), *_pauses(found), *credit]
    # A minute's time goes on after a pause that began within it: what began earlier is told first.
    lines.sort(key=lambda line: (line.kind is LineKind.CREDIT, line.at, line.kind is LineKind.MINUTE))
    total = sum((line.amount for line in lines if line.amount is not None), Decimal("0.00"))
    refunds = tuple(later_line(one, role) for one in corrected)
    return Receipt(tuple(lines), total, events, refunds, _tips(movements, role))


def _minutes(session: ReadingSession, role: Role, found: Sequence[Stretch]) -> Iterator[Line]:
    part = ReadingMinute.amount_cents if role is Role.CLIENT else ReadingMinute.reader_cents
    rows = db.session.execute(
        select(ReadingMinute.minute, ReadingMinute.charged_at, part)
        .where(ReadingMinute.reading_session_id == session.id)
        .order_by(ReadingMinute.minute)
    )
    for minute, charged_at, cents in rows:
        began = stretches.minute_began(minute, found)
        yield Line(
            LineKind.MINUTE, began or charged_at, from_cents(cents), minute=minute, charged_at=charged_at
        )


def _pauses(found: Sequence[Stretch]) -> Iterator[Line]:
    for stretch in found:
        if stretch.cause is not None:
            yield Line(LineKind.PAUSE, stretch.since, until=stretch.until, cause=stretch.cause)


_LATER = {
    TransferKind.FAIR_CREDIT: LineKind.CREDIT,
    TransferKind.REFUND_TO_WALLET: LineKind.REFUND,
    TransferKind.REFUND_TO_CARD: LineKind.REFUND,
    TransferKind.BOOKING_REFUND: LineKind.REFUND,
}


def later_line(movement: Movement, role: Role) -> Line:
    """What a movement after the receipt came to: a credit or refund that stands below it, or a correction."""
    return Line(_LATER.get(movement.kind, LineKind.CORRECTION), movement.at, _came_to(movement, role))


def _came_to(movement: Movement, role: Role) -> Decimal:
    """As a line tells it: what the client paid, what the reader earned."""
    return -movement.client if role is Role.CLIENT else movement.reader


def _tips(movements: Sequence[Movement], role: Role) -> tuple[Tip, ...]:
    return tuple(
        Tip(
            tip.id,
            tip.at,
            -tip.client,
            tip.reader,
            abs(sum((one.gained(role) for one in movements if one.reverses_id == tip.id), Decimal(0))),
        )
        for tip in receipt_movements.tips(movements)
    )
