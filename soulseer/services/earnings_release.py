"""Earnings whose hold is over become available, after what their reader owes is kept back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import from_cents
from soulseer.domain.transfers import TransferKind
from soulseer.models.earnings import Earning
from soulseer.services import ledger

# So many rows in one transaction; a reader with more takes several.
BATCH = 200
NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Due:
    """A reader with earnings to be released: how many, and dollars less what was taken back."""

    reader_id: int
    earnings: int
    amount: Decimal


@dataclass(frozen=True)
class Released:
    """``amount`` dollars left the pending earnings, ``offset`` of them for what the reader owed."""

    earnings: int = 0
    amount: Decimal = NOTHING
    offset: Decimal = NOTHING


def due(now: datetime, reader_id: int | None = None) -> list[Due]:
    """The readers (or only this one) whose earnings' hold is over at ``now``."""
    query = (
        select(Earning.reader_id, func.count(), func.sum(Earning.amount - Earning.taken_back))
        .where(Earning.state == "pending", Earning.releases_at <= now)
        .group_by(Earning.reader_id)
        .order_by(Earning.reader_id)
    )
    if reader_id is not None:
        query = query.where(Earning.reader_id == reader_id)
    # A difference of two amounts is plain cents to SQLAlchemy.
    return [Due(found, many, from_cents(int(cents))) for found, many, cents in db.session.execute(query)]


def release(reader_id: int, now: datetime) -> Released:
    """Release up to BATCH of the reader's earnings whose hold is over; what is owed is kept from them first.

    Each is a movement of its own (``earning:{id}:release``), so that a statement has a line for each. Raises
    InsufficientFunds where the pending account holds less than its rows.
    """
    ledger.lock_accounts([], earnings_of=[reader_id])
    rows = db.session.scalars(
        select(Earning)
        .where(Earning.reader_id == reader_id, Earning.state == "pending", Earning.releases_at <= now)
        .order_by(Earning.id)
        .limit(BATCH)
        .execution_options(populate_existing=True)
    ).all()
    owed = owed_by(reader_id)
    moved = kept = NOTHING
    for row in rows:
        net = row.amount - row.taken_back
        offset = min(net, owed)
        row.release_transaction_id = _post(row, net, offset, now)
        row.state, row.released_at = "released", now
        owed, moved, kept = owed - offset, moved + net, kept + offset
    return Released(len(rows), moved, kept)


def _post(row: Earning, net: Decimal, offset: Decimal, now: datetime) -> int | None:
    """The movement that releases an earning; None where all of it was taken back."""
    if net == 0:
        return None
    parts = {
        AccountKind.READER_EARNINGS_PENDING: -net,
        AccountKind.READER_EARNINGS_AVAILABLE: net - offset,
        AccountKind.READER_RECEIVABLE: offset,
    }
    transaction_id, _ = ledger.post(
        TransferKind.EARNINGS_RELEASE,
        f"earning:{row.id}:release",
        [
            ledger.Posting(ledger.account_id(kind, row.reader_id), part)
            for kind, part in parts.items()
            if part
        ],
        now,
        reading_session_id=row.reading_session_id,
    )
    return transaction_id


def owed_by(reader_id: int) -> Decimal:
    """What the reader owes, dollars; 0.00 for nothing."""
    return max(NOTHING, -ledger.balance(AccountKind.READER_RECEIVABLE, reader_id))


def offset_owed(reader_id: int, name: str, now: datetime) -> Decimal:
    """Pay what the reader owes from what is available, as far as it goes; dollars. ``name`` makes the movement's key.

    For money that became available by another way than a release: a payout that came back.
    """
    ledger.lock_accounts([], earnings_of=[reader_id])
    available = ledger.balance(AccountKind.READER_EARNINGS_AVAILABLE, reader_id)
    amount = min(owed_by(reader_id), available)
    if amount > 0:
        ledger.post(
            TransferKind.RECEIVABLE_PAID,
            f"{name}:offset",
            [
                ledger.Posting(ledger.account_id(AccountKind.READER_EARNINGS_AVAILABLE, reader_id), -amount),
                ledger.Posting(ledger.account_id(AccountKind.READER_RECEIVABLE, reader_id), amount),
            ],
            now,
        )
    return amount
