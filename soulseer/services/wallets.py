"""What a wallet holds and how it came to that: ledger entries and paid minutes as one history, newest first.

Two streams are merged: the wallet's ledger entries (by id) and the client's paid minutes (by session and minute, which
is the order of time, since a person is in one live session at a time). A cursor is a place in each of them, so that no
line is lost or told twice, whatever is added in front meanwhile.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    DateTime,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)

from soulseer.db import Read, db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import InvalidInput
from soulseer.domain.money import CURRENCY, from_cents
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction, ReadingMinute
from soulseer.models.payments import TopUp
from soulseer.models.promotions import PromotionalSpend
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.services import top_ups

PAGE = 20
_BEGINNING = 2**63 - 1
_LAST_MINUTE = 2**31 - 1
_PAID = TransferKind.READING_MINUTE.value
_NOTHING = Decimal("0.00")
_CURSOR = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})\.([0-9]{1,10})")


class Line(NamedTuple):
    """One movement of the wallet: ``amount`` in dollars, negative where money left it.

    ``minutes`` is how many paid minutes of one reading it stands for (0: none); ``minute`` the number of the one
    minute, where it stands for exactly one. ``promotional`` is what credit paid beside ``amount`` of them.
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
    promotional: Decimal = Decimal("0.00")


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


class _Place(NamedTuple):
    """What was read last in each stream."""

    entry: int = _BEGINNING
    session: int = _BEGINNING
    minute: int = _LAST_MINUTE

    def cursor(self) -> str:
        text = f"{self.entry}.{self.session}.{self.minute}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# The statements of the history, on the tables and built once: that took longer than all that PostgreSQL does for them.
_account: Any = LedgerAccount.__table__
_entry: Any = LedgerEntry.__table__
_transaction: Any = LedgerTransaction.__table__
_session: Any = ReadingSession.__table__
_reader: Any = ReaderProfile.__table__
_minute: Any = ReadingMinute.__table__
_spend: Any = PromotionalSpend.__table__
_top_up: Any = TopUp.__table__
_PERSON, _LIMIT = bindparam("person", type_=BigInteger), bindparam("limit", type_=Integer)
_BEFORE_SESSION = bindparam("session", type_=BigInteger)

_entries = (
    select(
        _entry.c.id,
        type_coerce(_entry.c.amount, BigInteger).label("cents"),
        _transaction.c.kind,
        _transaction.c.idempotency_key,
        _transaction.c.created_at.label("at"),
        _transaction.c.reading_session_id,
        _session.c.modality,
        _reader.c.display_name,
    )
    .select_from(_entry)
    .join(_transaction, _transaction.c.id == _entry.c.transaction_id)
    .outerjoin(_session, _session.c.id == _transaction.c.reading_session_id)
    .outerjoin(_reader, _reader.c.person_id == _session.c.reader_id)
    .where(
        _entry.c.account_id
        == select(_account.c.id)
        .where(
            _account.c.owner_id == _PERSON,
            _account.c.kind == AccountKind.CLIENT_WALLET.value,
            _account.c.currency == CURRENCY,
        )
        .scalar_subquery(),
        _entry.c.id < bindparam("entry", type_=BigInteger),
    )
    .order_by(_entry.c.id.desc())
    .limit(_LIMIT)
)
_ENTRIES = Read(_entries)
_SESSIONS: Select[Any] = (
    select(_session.c.id, _session.c.modality, _reader.c.display_name)
    .select_from(_session)
    .join(_reader, _reader.c.person_id == _session.c.reader_id)
    .where(_session.c.client_id == _PERSON, _session.c.id <= _BEFORE_SESSION)
)
# Lateral with a limit of its own, so that one session after the other is read, whatever the planner believes.
_paid_minute = (
    select(_minute.c.minute, _minute.c.charged_at.label("at"), _minute.c.amount.label("cents"))
    .where(
        _minute.c.reading_session_id == _session.c.id,
        or_(_session.c.id < _BEFORE_SESSION, _minute.c.minute < bindparam("minute", type_=Integer)),
    )
    .order_by(_minute.c.minute.desc())
    .limit(_LIMIT)
    .lateral("paid")
)
_MINUTES = Read(
    _SESSIONS.add_columns(_paid_minute.c.minute, _paid_minute.c.at, _paid_minute.c.cents)
    .join(_paid_minute, true())
    .order_by(_session.c.id.desc(), _paid_minute.c.minute.desc())
    .limit(_LIMIT)
)
# A reading's minutes are numbered without a gap and cost what its session says (flask ledger check proves both): its
# newest one stands for them all, and an hour's reading is one row to read rather than sixty.
_readings = (
    _SESSIONS.add_columns(
        _session.c.minutes_billed.label("minutes"),
        (_session.c.minutes_billed * _session.c.rate).label("cents"),
        _minute.c.charged_at.label("at"),
    )
    .join(
        _minute,
        and_(_minute.c.reading_session_id == _session.c.id, _minute.c.minute == _session.c.minutes_billed),
    )
    .where(_session.c.id < _BEFORE_SESSION)
    .order_by(_session.c.id.desc())
    .limit(_LIMIT)
)

# What promotional credit paid of a reading, told with it: minute by minute it would drown the rest.
_credit = (
    select(func.coalesce(func.sum(type_coerce(_spend.c.amount, BigInteger)), 0).label("cents"))
    .where(_spend.c.purpose == func.concat("reading:", _session.c.id))
    .lateral("credit")
)
_told_with_a_reading = and_(
    _transaction.c.kind == TransferKind.PROMOTION_SPENT.value, _transaction.c.reading_session_id.is_not(None)
)

_NO_TEXT, _NO_NUMBER, _NO_INSTANT = cast(null(), Text), cast(null(), BigInteger), cast(null(), DateTime(True))
_by_entry = _entries.where(~_told_with_a_reading).add_columns(
    _NO_NUMBER.label("minutes"), _NO_NUMBER.label("promotional"), _NO_INSTANT.label("since")
)
_by_reading = _readings.with_only_columns(
    _session.c.id,
    cast(_session.c.minutes_billed * _session.c.rate, BigInteger),
    _NO_TEXT,
    _NO_TEXT,
    _minute.c.charged_at,
    _session.c.id,
    _session.c.modality,
    _reader.c.display_name,
    cast(_session.c.minutes_billed, BigInteger),
    cast(_credit.c.cents, BigInteger),
    _NO_INSTANT,
).join(_credit, true())
_newest_top_ups = (
    select(
        _top_up.c.id,
        type_coerce(_top_up.c.amount, BigInteger),
        _top_up.c.state,
        _top_up.c.origin,
        _top_up.c.created_at,
        _NO_NUMBER,
        _NO_TEXT,
        _NO_TEXT,
        literal_column("0"),
        _NO_NUMBER,
        _top_up.c.processing_since,
    )
    .where(_top_up.c.person_id == _PERSON)
    .order_by(_top_up.c.id.desc())
    .limit(bindparam("top_ups", type_=Integer))
)
# What the page of the wallet shows, each cut by itself. By minutes one tells them apart: an entry has none, a paid
# reading has some, a top-up has zero.
_OVERVIEW = Read(union_all(_by_entry, _by_reading, _newest_top_ups))


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


def overview(
    person_id: int, cursor: str | None = None, limit: int = PAGE
) -> tuple[Page, list[top_ups.Recent]]:
    """The page of the wallet in one statement: its history with the minutes of each reading as one line, whose newest
    minute gives its place, and the newest top-ups.

    Raises InvalidInput for a cursor that was not ours.
    """
    place = _place_of(cursor)
    found = _OVERVIEW.rows({**_values(person_id, place, limit), "top_ups": top_ups.LISTED})
    found.sort(key=lambda row: row.id, reverse=True)
    page = _merged(
        (_entry_line(row) for row in found if row.minutes is None),
        (_reading_line(row) for row in found if row.minutes),
        place,
        limit,
    )
    newest = [
        top_ups.Recent(row.id, from_cents(row.cents), row.kind, row.at, row.since, row.idempotency_key)
        for row in found
        if row.minutes == 0
    ]
    return page, newest


_Read = tuple[Line, _Place]


def _merged(by_entry: Iterator[_Read], by_minute: Iterator[_Read], place: _Place, limit: int) -> Page:
    """The newest ``limit`` lines of both streams, each kept in its own order."""
    lines: list[Line] = []
    entry, minute = next(by_entry, None), next(by_minute, None)
    last_entry = last_minute = place
    while (entry or minute) and len(lines) < limit:
        if entry is None or (minute is not None and minute[0].at > entry[0].at):
            assert minute is not None
            line, last_minute = minute
            minute = next(by_minute, None)
        else:
            line, last_entry = entry
            entry = next(by_entry, None)
        lines.append(line)
    following = _Place(last_entry.entry, last_minute.session, last_minute.minute)
    return Page(tuple(lines), following.cursor() if entry or minute else None)


def _values(person_id: int, place: _Place, limit: int) -> dict[str, Any]:
    return {
        "person": person_id,
        "entry": place.entry,
        "session": place.session,
        "minute": place.minute,
        "limit": limit + 1,
    }


def _entry_lines(person_id: int, place: _Place, limit: int) -> Iterator[_Read]:
    for row in _ENTRIES.rows(_values(person_id, place, limit)):
        yield _entry_line(row)


def _minute_lines(person_id: int, place: _Place, limit: int) -> Iterator[_Read]:
    """The client's paid minutes, each a line."""
    for row in _MINUTES.rows(_values(person_id, place, limit)):
        line = Line(
            kind=_PAID,
            amount=-from_cents(row.cents),
            at=row.at,
            reading_session_id=row.id,
            reader_name=row.display_name,
            modality=row.modality,
            minutes=1,
            minute=row.minute,
            idempotency_key=f"reading:{row.id}:minute:{row.minute}",
        )
        yield line, _Place(session=row.id, minute=row.minute)


def _entry_line(row: Any) -> _Read:
    """Movements that are ledger transactions of their own: all but paid minutes."""
    line = Line(
        row.kind,
        from_cents(row.cents),
        row.at,
        row.reading_session_id,
        row.display_name,
        row.modality,
        idempotency_key=row.idempotency_key,
    )
    return line, _Place(entry=row.id)


def _reading_line(row: Any) -> _Read:
    """A paid reading, with the sum of its minutes; a reading is read as a whole."""
    credit = from_cents(row.promotional) if row.promotional else _NOTHING
    amount = credit - from_cents(row.cents)
    line = Line(
        _PAID, amount, row.at, row.id, row.display_name, row.modality, row.minutes, promotional=credit
    )
    return line, _Place(session=row.id, minute=0)


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
