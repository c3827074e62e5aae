"""What moved an account, newest first, with the balance after each: ledger entries and paid minutes as one list."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import merge
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import from_cents
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction, ReadingMinute
from soulseer.models.readings import ReadingSession
from soulseer.services.console import LARGEST

# A side of every minute, by the kind of its account.
_MINUTE_SIDES = {
    AccountKind.CLIENT_WALLET.value: (ReadingSession.client_id, -ReadingMinute.amount_cents),
    AccountKind.READER_EARNINGS_PENDING.value: (ReadingSession.reader_id, ReadingMinute.reader_cents),
}


@dataclass(frozen=True)
class Place:
    """Read so far: entries down to ``entry``, minutes down to (``session``, ``minute``)."""

    entry: int = LARGEST
    session: int = LARGEST
    minute: int = 2**31 - 1


@dataclass(frozen=True)
class Movement:
    """``amount`` and ``balance`` (after it; None for the platform's hot accounts) in dollars."""

    at: datetime
    amount: Decimal
    kind: str
    transaction_id: int | None = None
    session_id: int | None = None
    minute: int | None = None
    memo: str = ""
    balance: Decimal | None = None
    place: Place = field(default_factory=Place, repr=False)


def movements(
    account: LedgerAccount, balance: Decimal, place: Place, limit: int
) -> tuple[list[Movement], Place | None]:
    """At most ``limit`` movements older than ``place``, and where to go on; four statements at most.

    Paid minutes of a wallet and of a reader's earnings are among them. The platform's revenue takes part of every
    minute there is: its list has the rest only, and no balances.
    """
    streams = _entries(account, place, limit), _minutes(account, place, limit)
    # Only the heads are compared: each stream keeps its own order, so that none is lost between two pages.
    found = list(merge(*streams, key=lambda movement: movement.at, reverse=True))
    more, found = len(found) > limit, found[:limit]
    running = None if account.hot else balance - _newer(account, place)
    lines, at = [], place
    for movement in found:
        at = (
            Place(movement.place.entry, at.session, at.minute)
            if movement.minute is None
            else Place(at.entry, movement.place.session, movement.place.minute)
        )
        lines.append(Movement(**{**vars(movement), "balance": running}))
        running = None if running is None else running - movement.amount
    return lines, at if more else None


def _entries(account: LedgerAccount, place: Place, limit: int) -> list[Movement]:
    rows = db.session.execute(
        select(LedgerEntry.id, LedgerEntry.amount, LedgerTransaction)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(LedgerEntry.account_id == account.id, LedgerEntry.id < place.entry)
        .order_by(LedgerEntry.id.desc())
        .limit(limit + 1)
    )
    return [
        Movement(
            at=row.created_at,
            amount=amount,
            kind=row.kind,
            transaction_id=row.id,
            session_id=row.reading_session_id,
            memo=row.memo,
            place=Place(entry=entry_id),
        )
        for entry_id, amount, row in rows
    ]


def _minutes(account: LedgerAccount, place: Place, limit: int) -> list[Movement]:
    side = _MINUTE_SIDES.get(account.kind)
    if side is None:
        return []
    owner, cents = side
    rows: Any = db.session.execute(
        select(ReadingMinute, cents.label("cents"))
        .join(ReadingSession, ReadingSession.id == ReadingMinute.reading_session_id)
        .where(owner == account.owner_id, ReadingSession.id <= place.session, _before(place))
        .order_by(ReadingSession.id.desc(), ReadingMinute.minute.desc())
        .limit(limit + 1)
    )
    return [
        Movement(
            at=row.charged_at,
            amount=from_cents(amount),
            kind="reading_minute",
            session_id=row.reading_session_id,
            minute=row.minute,
            place=Place(session=row.reading_session_id, minute=row.minute),
        )
        for row, amount in rows
        if amount
    ]


def _before(place: Place) -> ColumnElement[bool]:
    return tuple_(ReadingMinute.reading_session_id, ReadingMinute.minute) < tuple_(
        place.session, place.minute
    )


def _newer(account: LedgerAccount, place: Place) -> Decimal:
    """The sum of what is newer than ``place``, dollars."""
    if place == Place():
        return Decimal("0.00")
    total: Any = db.session.scalar(
        select(func.sum(LedgerEntry.amount)).where(
            LedgerEntry.account_id == account.id, LedgerEntry.id >= place.entry
        )
    ) or Decimal("0.00")
    side = _MINUTE_SIDES.get(account.kind)
    if side is not None:
        owner, cents = side
        minutes = db.session.scalar(
            select(func.sum(cents))
            .select_from(ReadingMinute)
            .join(ReadingSession, ReadingSession.id == ReadingMinute.reading_session_id)
            .where(owner == account.owner_id, ReadingSession.id >= place.session, ~_before(place))
        )
        total += from_cents(int(minutes or 0))
    return Decimal(total)
