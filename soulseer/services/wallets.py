"""What a wallet holds and how it came to that: ledger entries and paid minutes as one history, newest first.

Two streams are merged: the wallet's ledger entries (by id) and the client's paid minutes (by session and minute, which
is the order of time, since a person is in one live session at a time). A cursor is a place in each of them, so that no
line is lost or told twice, whatever is added in front meanwhile.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Row, Select, func, or_, select, true

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import InvalidInput
from soulseer.domain.money import CURRENCY, from_cents
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction, ReadingMinute
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession

PAGE = 20
_BEGINNING = 2**63 - 1
_LAST_MINUTE = 2**31 - 1
_CURSOR = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})\.([0-9]{1,10})")


@dataclass(frozen=True)
class Line:
    """One movement of the wallet: ``amount`` in dollars, negative where money left it.

    ``minutes`` is how many paid minutes of one reading it stands for (0: none); ``minute`` the number of the one
    minute, where it stands for exactly one.
    """

    kind: str
    amount: Decimal
    at: datetime
    reading_session_id: int | None = None
    reader_name: str | None = None
    modality: str | None = None
    minutes: int = 0
    minute: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Page:
    """``next`` is the cursor of what follows; None at the end."""

    lines: tuple[Line, ...]
    next: str | None


@dataclass(frozen=True)
class Earnings:
    """A reader's money, dollars: ``pending`` within the hold period, ``available`` to be paid out."""

    pending: Decimal
    available: Decimal


@dataclass(frozen=True)
class _Place:
    """What was read last in each stream."""

    entry: int = _BEGINNING
    session: int = _BEGINNING
    minute: int = _LAST_MINUTE

    def cursor(self) -> str:
        text = f"{self.entry}.{self.session}.{self.minute}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def balance(person_id: int) -> Decimal:
    """The wallet's balance in dollars; 0.00 where there is no wallet."""
    found = db.session.scalar(
        _account(person_id, AccountKind.CLIENT_WALLET).with_only_columns(LedgerAccount.balance)
    )
    return Decimal("0.00") if found is None else found


def earnings(person_id: int) -> Earnings:
    """A reader's earnings; 0.00 where there are none."""
    kinds = (AccountKind.READER_EARNINGS_PENDING, AccountKind.READER_EARNINGS_AVAILABLE)
    rows = db.session.execute(
        select(LedgerAccount.kind, LedgerAccount.balance).where(
            LedgerAccount.owner_id == person_id,
            LedgerAccount.kind.in_([kind.value for kind in kinds]),
            LedgerAccount.currency == CURRENCY,
        )
    )
    found = {kind: amount for kind, amount in rows}  # noqa: C416 (rows are no pairs to dict())
    pending, available = (found.get(kind.value, Decimal("0.00")) for kind in kinds)
    return Earnings(pending, available)


def entries(person_id: int, limit: int = PAGE, cursor: str | None = None) -> Page:
    """The wallet's movements one by one, newest first: ``limit`` of them after ``cursor``. Two statements.

    Raises InvalidInput for a cursor that was not ours.
    """
    place = _place_of(cursor)
    return _merged(
        _entry_lines(person_id, place, limit), _minute_lines(person_id, place, limit), place, limit
    )


def history(person_id: int, limit: int = PAGE, cursor: str | None = None) -> Page:
    """The same with the minutes of each reading as one line, its newest minute giving its place. Two statements.

    Raises InvalidInput for a cursor that was not ours.
    """
    place = _place_of(cursor)
    return _merged(
        _entry_lines(person_id, place, limit), _reading_lines(person_id, place, limit), place, limit
    )


_Read = tuple[Line, _Place]


def _merged(by_entry: Sequence[_Read], by_minute: Sequence[_Read], place: _Place, limit: int) -> Page:
    """The newest ``limit`` lines of both streams, each kept in its own order."""
    lines: list[Line] = []
    ahead = (iter(by_entry), iter(by_minute))
    heads = [next(stream, None) for stream in ahead]
    while any(heads) and len(lines) < limit:
        which = 1 if heads[0] is None or (heads[1] is not None and heads[1][0].at > heads[0][0].at) else 0
        head = heads[which]
        assert head is not None
        line, read = head
        lines.append(line)
        place = (
            _Place(place.entry, read.session, read.minute)
            if which
            else _Place(read.entry, place.session, place.minute)
        )
        heads[which] = next(ahead[which], None)
    return Page(tuple(lines), place.cursor() if any(heads) else None)


def _entry_lines(person_id: int, place: _Place, limit: int) -> list[_Read]:
    """Movements that are ledger transactions of their own: all but paid minutes."""
    wallet = _account(person_id, AccountKind.CLIENT_WALLET).scalar_subquery()
    rows = db.session.execute(
        select(
            LedgerEntry.id,
            LedgerEntry.amount,
            LedgerTransaction.kind,
            LedgerTransaction.idempotency_key,
            LedgerTransaction.created_at,
            LedgerTransaction.reading_session_id,
            ReadingSession.modality,
            ReaderProfile.display_name,
        )
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .outerjoin(ReadingSession, ReadingSession.id == LedgerTransaction.reading_session_id)
        .outerjoin(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .where(LedgerEntry.account_id == wallet, LedgerEntry.id < place.entry)
        .order_by(LedgerEntry.id.desc())
        .limit(limit + 1)
    )
    return [
        (
            Line(
                kind=row.kind,
                amount=row.amount,
                at=row.created_at,
                reading_session_id=row.reading_session_id,
                reader_name=row.display_name,
                modality=row.modality,
                idempotency_key=row.idempotency_key,
            ),
            _Place(entry=row.id),
        )
        for row in rows
    ]


def _minute_lines(person_id: int, place: _Place, limit: int) -> list[_Read]:
    """The client's paid minutes, each a line."""
    # Lateral with a limit of its own, so that one session after the other is read, whatever the planner believes.
    paid = (
        select(
            ReadingMinute.minute,
            ReadingMinute.charged_at.label("at"),
            ReadingMinute.amount_cents.label("cents"),
        )
        .where(
            ReadingMinute.reading_session_id == ReadingSession.id,
            or_(ReadingSession.id < place.session, ReadingMinute.minute < place.minute),
        )
        .order_by(ReadingMinute.minute.desc())
        .limit(limit + 1)
        .lateral("paid")
    )
    rows = db.session.execute(
        _sessions(person_id, place)
        .add_columns(paid.c.minute, paid.c.at, paid.c.cents)
        .join(paid, true())
        .order_by(ReadingSession.id.desc(), paid.c.minute.desc())
        .limit(limit + 1)
    )
    return [
        (
            _reading_line(row, minutes=1, minute=row.minute, key=f"reading:{row.id}:minute:{row.minute}"),
            _Place(session=row.id, minute=row.minute),
        )
        for row in rows
    ]


def _reading_lines(person_id: int, place: _Place, limit: int) -> list[_Read]:
    """The client's paid readings, each a line with the sum of its minutes; a reading is read as a whole."""
    paid = (
        select(
            func.count().label("minutes"),
            func.sum(ReadingMinute.amount_cents).label("cents"),
            func.max(ReadingMinute.charged_at).label("at"),
        )
        .where(ReadingMinute.reading_session_id == ReadingSession.id)
        .lateral("paid")
    )
    rows = db.session.execute(
        _sessions(person_id, place)
        .add_columns(paid.c.minutes, paid.c.cents, paid.c.at)
        .join(paid, paid.c.minutes > 0)
        .where(ReadingSession.id < place.session)
        .order_by(ReadingSession.id.desc())
        .limit(limit + 1)
    )
    return [(_reading_line(row, minutes=row.minutes), _Place(session=row.id, minute=0)) for row in rows]


def _sessions(person_id: int, place: _Place) -> Select:
    return (
        select(ReadingSession.id, ReadingSession.modality, ReaderProfile.display_name)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .where(ReadingSession.client_id == person_id, ReadingSession.id <= place.session)
    )


def _reading_line(row: Row, *, minutes: int, minute: int | None = None, key: str | None = None) -> Line:
    return Line(
        kind=TransferKind.READING_MINUTE.value,
        amount=-from_cents(int(row.cents)),
        at=row.at,
        reading_session_id=row.id,
        reader_name=row.display_name,
        modality=row.modality,
        minutes=minutes,
        minute=minute,
        idempotency_key=key,
    )


def _account(person_id: int, kind: AccountKind) -> Select:
    return select(LedgerAccount.id).where(
        LedgerAccount.owner_id == person_id,
        LedgerAccount.kind == kind.value,
        LedgerAccount.currency == CURRENCY,
    )


def _place_of(cursor: str | None) -> _Place:
    if not cursor:
        return _Place()
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    matched = _CURSOR.fullmatch(text)
    numbers = [int(part) for part in matched.groups()] if matched else []
    if not numbers or numbers[0] > _BEGINNING or numbers[1] > _BEGINNING or numbers[2] > _LAST_MINUTE:
        raise InvalidInput("cursor", "This is not a cursor of this list.")
    return _Place(*numbers)
