"""Readers' earnings by source: written at finalization, held for a while, taken back by refunds.

A reader's pending account holds what the rows here hold and, beyond them, the minutes of readings that are not
finalized: nobody takes those back before they are earned. All that changes rows or balances of one reader holds the
locks of the reader's earned accounts.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.models.earnings import Earning
from soulseer.models.ledger import LedgerAccount
from soulseer.models.readings import ReadingSession
from soulseer.services import ledger

NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class _Plan:
    """``parts`` in dollars by account, in the order they are taken; ``rows`` what of it comes from which earning."""

    parts: list[tuple[AccountKind, Decimal]]
    rows: list[tuple[Earning, Decimal]]


def record(session: ReadingSession, reader_part: Decimal, now: datetime) -> None:
    """Note the reader's net part, dollars, of a session that was finalized at ``now``; nothing where it is 0.00.

    A second call for the same session changes nothing.
    """
    if reader_part <= 0:
        return
    _add(session.reader_id, "reading", reader_part, now, reading_session_id=session.id)


def record_movement(reader_id: int, source: str, amount: Decimal, transaction_id: int, now: datetime) -> None:
    """Note a reader's part, dollars, of another movement with a split (``source``: one of EARNING_SOURCES but
    ``reading``), in the transaction that posts it. A second call for the same ledger transaction changes nothing."""
    _add(reader_id, source, amount, now, transaction_id=transaction_id)


def _add(reader_id: int, source: str, amount: Decimal, now: datetime, **origin: int) -> None:
    db.session.execute(
        upsert(Earning)
        .values(
            reader_id=reader_id,
            source=source,
            amount=amount,
            state="pending",
            earned_at=now,
            releases_at=now + policies.current().payout.hold,
            **origin,
        )
        .on_conflict_do_nothing(index_elements=list(origin))
    )


def take_back(
    reader_id: int,
    amount: Decimal,
    now: datetime,
    *,
    reading_session_id: int | None = None,
    transaction_id: int | None = None,
) -> list[tuple[AccountKind, Decimal]]:
    """Take ``amount`` dollars from a reader: positive dollars to be taken from each of pending, available and
    receivable, in this order, which the caller posts in the same transaction; together they are ``amount``.

    What the reading ``reading_session_id`` (or the movement ``transaction_id``) earned goes first, then other pending
    earnings, newest first, then the available ones; the rest is owed. The rows are updated and the reader's accounts
    locked; who locks other accounts as well locks all of them first (``ledger.lock_accounts``). Raises ValueError
    for an amount below zero.
    """
    ledger.lock_accounts([], earnings_of=[reader_id])
    plan = _plan(reader_id, amount, reading_session_id, transaction_id)
    for row, part in plan.rows:
        row.taken_back += part
    db.session.flush()
    if any(kind is AccountKind.READER_RECEIVABLE for kind, _ in plan.parts):
        ledger.open_accounts(reader_id, [AccountKind.READER_RECEIVABLE], now)
    return plan.parts


def preview_take_back(
    reader_id: int,
    amount: Decimal,
    *,
    reading_session_id: int | None = None,
    transaction_id: int | None = None,
) -> list[tuple[AccountKind, Decimal]]:
    """What ``take_back`` would come to now; nothing is locked or changed."""
    return _plan(reader_id, amount, reading_session_id, transaction_id).parts


def _plan(
    reader_id: int, amount: Decimal, reading_session_id: int | None, transaction_id: int | None
) -> _Plan:
    if amount < 0:
        raise ValueError(f"{amount} dollars cannot be taken back")
    balances = _balances(reader_id)
    # The rows say what may be taken; the balance is only lower where somebody adjusted it by hand.
    left, pending_left = amount, min(amount, balances.get(AccountKind.READER_EARNINGS_PENDING, NOTHING))
    rows = []
    for row in _pending(reader_id, reading_session_id, transaction_id):
        part = min(pending_left, row.amount - row.taken_back)
        if part > 0:
            rows.append((row, part))
            pending_left -= part
    pending = sum((part for _, part in rows), NOTHING)
    left -= pending
    available = max(NOTHING, min(left, balances.get(AccountKind.READER_EARNINGS_AVAILABLE, NOTHING)))
    parts = [
        (AccountKind.READER_EARNINGS_PENDING, pending),
        (AccountKind.READER_EARNINGS_AVAILABLE, available),
        (AccountKind.READER_RECEIVABLE, left - available),
    ]
    return _Plan([(kind, part) for kind, part in parts if part > 0], rows)


def _balances(reader_id: int) -> dict[AccountKind, Decimal]:
    rows = db.session.execute(
        select(LedgerAccount.kind, LedgerAccount.balance).where(
            LedgerAccount.owner_id == reader_id, LedgerAccount.kind.in_(ledger.EARNED_KINDS)
        )
    )
    return {AccountKind(kind): balance for kind, balance in rows}


def _pending(reader_id: int, reading_session_id: int | None, transaction_id: int | None) -> list[Earning]:
    """The reader's pending earnings, its own first, then newest first."""
    rows = db.session.scalars(
        select(Earning)
        .where(
            Earning.reader_id == reader_id, Earning.state == "pending", Earning.taken_back < Earning.amount
        )
        .order_by(Earning.id.desc())
        .execution_options(populate_existing=True)
    )

    def is_other(row: Earning) -> bool:
        own_reading = reading_session_id is not None and row.reading_session_id == reading_session_id
        own_movement = transaction_id is not None and row.transaction_id == transaction_id
        return not (own_reading or own_movement)

    return sorted(rows, key=is_other)
