"""What a reading came to, line by line from the ledger: minutes, pauses between them, fair credit (design §4).

A minute is told twice: when its time began, worked out from the stretches that were active, and when it was charged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, func, select

from soulseer.db import Read, db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import NotFound
from soulseer.domain.money import from_cents
from soulseer.domain.readings import PauseCause, Role, State
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction, ReadingMinute
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, Review
from soulseer.models.readings import ReadingNote, ReadingReceipt, ReadingSession, ReadingSessionEvent

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class About:
    """What a participant may know of a session beside its meter, in one statement.

    ``note`` is the viewer's own; ``stars`` those of the client's review; ``code`` names the receipt of a finalized
    session.
    """

    client_name: str
    reader_name: str
    reader_slug: str
    note: str
    stars: int | None
    code: str | None
    issued_at: datetime | None

    def name_of(self, role: Role) -> str:
        return self.client_name if role is Role.CLIENT else self.reader_name


class LineKind(StrEnum):
    MINUTE = "minute"
    PAUSE = "pause"
    CREDIT = "credit"
    REFUND = "refund"


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
class Receipt:
    """``total`` is the sum of the lines. ``events`` are all moves, in the order of their recording. ``refunds`` are what
    was given back after the receipt was written: they stand beneath it."""

    lines: tuple[Line, ...]
    total: Decimal
    events: tuple[ReadingSessionEvent, ...]
    refunds: tuple[Line, ...] = ()

    @property
    def left(self) -> Decimal:
        """The total less what was given back since."""
        return self.total + sum((line.amount for line in self.refunds if line.amount is not None), Decimal(0))


@dataclass(frozen=True)
class Stretch:
    """Time from ``since`` to ``until`` (None: it goes on); with ``cause`` it is a pause, else it was active."""

    since: datetime
    until: datetime | None
    cause: PauseCause | None = None


# On the tables and built once, since building it took longer than answering it.
_session: Any = ReadingSession.__table__
_person: Any = Person.__table__
_reader: Any = ReaderProfile.__table__
_note: Any = ReadingNote.__table__
_review: Any = Review.__table__
_receipt: Any = ReadingReceipt.__table__
_columns: Any = tuple(
    attribute.columns[0].label(attribute.key) for attribute in ReadingSession.__mapper__.column_attrs
)
_about = (
    select(
        _person.c.handle,
        _reader.c.display_name,
        _reader.c.slug,
        _note.c.body,
        _review.c.stars,
        _receipt.c.code,
        _receipt.c.issued_at,
    )
    .select_from(_session)
    .join(_person, _person.c.id == _session.c.client_id)
    .join(_reader, _reader.c.person_id == _session.c.reader_id)
    .outerjoin(
        _note,
        and_(
            _note.c.reading_session_id == _session.c.id,
            _note.c.author_id == bindparam("viewer", type_=BigInteger),
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
    return About(row[0], row[1], row[2], row[3] or "", row[4], row[5], row[6])


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
    """The lines for the client (what was paid) or the reader (her part of each), in the order of time."""
    events = tuple(
        db.session.scalars(
            select(ReadingSessionEvent)
            .where(ReadingSessionEvent.reading_session_id == session.id)
            .order_by(ReadingSessionEvent.id)
        )
    )
    stretches = stretches_of(events)
    given_back = list(_given_back(session, role))
    credit = [line for line in given_back if line.kind is LineKind.CREDIT]
    lines = [*_minutes(session, role, stretches), *_pauses(stretches), *credit]
    # A minute's time goes on after a pause that began within it: what began earlier is told first.
    lines.sort(key=lambda line: (line.kind is LineKind.CREDIT, line.at, line.kind is LineKind.MINUTE))
    total = sum((line.amount for line in lines if line.amount is not None), Decimal("0.00"))
    refunds = tuple(line for line in given_back if line.kind is LineKind.REFUND)
    return Receipt(tuple(lines), total, events, refunds)


def stretches_of(events: Sequence[ReadingSessionEvent]) -> list[Stretch]:
    """The active stretches and the pauses between them, by the moves' effective instants."""
    found: list[Stretch] = []
    since: datetime | None = None
    cause: PauseCause | None = None
    for event in events:
        before, after = event.from_state, event.to_state
        if after == before or after not in (State.ACTIVE, State.PAUSED, State.ENDED):
            continue
        if since is not None:
            found.append(Stretch(since, event.effective_at, cause))
        since, cause = (None, None) if after == State.ENDED else (event.effective_at, None)
        if after == State.PAUSED:
            cause = PauseCause(event.cause) if event.cause else PauseCause.PLATFORM
    if since is not None:
        found.append(Stretch(since, None, cause))
    return found


def minute_began(minute: int, stretches: Sequence[Stretch]) -> datetime | None:
    """The instant at which the time of minute ``minute`` (from 1) began; None where the stretches do not reach it."""
    left = (minute - 1) * MINUTE
    for stretch in stretches:
        if stretch.cause is not None:
            continue
        if stretch.until is None or left < stretch.until - stretch.since or (minute == 1 and not left):
            return stretch.since + left
        left -= stretch.until - stretch.since
    return None


def _minutes(session: ReadingSession, role: Role, stretches: Sequence[Stretch]) -> Iterator[Line]:
    part = ReadingMinute.amount_cents if role is Role.CLIENT else ReadingMinute.reader_cents
    rows = db.session.execute(
        select(ReadingMinute.minute, ReadingMinute.charged_at, part)
        .where(ReadingMinute.reading_session_id == session.id)
        .order_by(ReadingMinute.minute)
    )
    for minute, charged_at, cents in rows:
        began = minute_began(minute, stretches)
        yield Line(
            LineKind.MINUTE, began or charged_at, from_cents(cents), minute=minute, charged_at=charged_at
        )


def _pauses(stretches: Sequence[Stretch]) -> Iterator[Line]:
    for stretch in stretches:
        if stretch.cause is not None:
            yield Line(LineKind.PAUSE, stretch.since, until=stretch.until, cause=stretch.cause)


_GIVEN_BACK = {
    TransferKind.FAIR_CREDIT.value: LineKind.CREDIT,
    TransferKind.REFUND_TO_WALLET.value: LineKind.REFUND,
}


def _given_back(session: ReadingSession, role: Role) -> Iterator[Line]:
    """The fair credit and the refunds: what the client got back, or what the reader's accounts gave for it."""
    kinds = (
        [AccountKind.CLIENT_WALLET, AccountKind.CLIENT_PROMOTIONAL_CREDIT]
        if role is Role.CLIENT
        else [
            AccountKind.READER_EARNINGS_PENDING,
            AccountKind.READER_EARNINGS_AVAILABLE,
            AccountKind.READER_RECEIVABLE,
        ]
    )
    rows = db.session.execute(
        select(
            LedgerTransaction.id,
            LedgerTransaction.kind,
            LedgerTransaction.created_at,
            func.sum(LedgerEntry.amount).label("amount"),
        )
        .join(LedgerEntry, LedgerEntry.transaction_id == LedgerTransaction.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            LedgerTransaction.reading_session_id == session.id,
            LedgerTransaction.kind.in_(_GIVEN_BACK),
            LedgerAccount.kind.in_([kind.value for kind in kinds]),
        )
        .group_by(LedgerTransaction.id)
        .order_by(LedgerTransaction.id)
    ).all()
    for row in rows:
        yield Line(_GIVEN_BACK[row.kind], row.created_at, -row.amount if role is Role.CLIENT else row.amount)
