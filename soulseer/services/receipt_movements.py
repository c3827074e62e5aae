"""What the ledger holds beside the minutes of a reading: credits, refunds, corrections and tips, in one statement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, or_, select

from soulseer.db import Read
from soulseer.domain.accounts import AccountKind
from soulseer.domain.readings import Role
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction

PAID_FROM = (AccountKind.CLIENT_WALLET, AccountKind.CLIENT_PROMOTIONAL_CREDIT)
EARNED_IN = (
    AccountKind.READER_EARNINGS_PENDING,
    AccountKind.READER_EARNINGS_AVAILABLE,
    AccountKind.READER_RECEIVABLE,
)
NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Movement:
    """A ledger transaction about a reading. ``client`` and ``reader``, dollars: what the accounts of each gained (below
    zero: lost) by it. ``reverses_id`` is the transaction that it takes back."""

    id: int
    kind: TransferKind
    at: datetime
    reverses_id: int | None
    client: Decimal
    reader: Decimal

    def gained(self, role: Role) -> Decimal:
        return self.client if role is Role.CLIENT else self.reader


_transaction: Any = LedgerTransaction.__table__
_entry: Any = LedgerEntry.__table__
_account: Any = LedgerAccount.__table__
_SESSION = bindparam("session", type_=BigInteger)
_OF_SESSION = select(_transaction.c.id).where(_transaction.c.reading_session_id == _SESSION)


def _sum(kinds: Iterable[AccountKind]) -> Any:
    return func.sum(_entry.c.amount).filter(or_(*(_account.c.kind == kind.value for kind in kinds)))


_MOVEMENTS = Read(
    select(
        _transaction.c.id,
        _transaction.c.kind,
        _transaction.c.created_at,
        _transaction.c.reverses_id,
        _sum(PAID_FROM),
        _sum(EARNED_IN),
    )
    .select_from(_transaction)
    .join(_entry, _entry.c.transaction_id == _transaction.c.id)
    .join(_account, _account.c.id == _entry.c.account_id)
    .where(
        or_(_transaction.c.reading_session_id == _SESSION, _transaction.c.reverses_id.in_(_OF_SESSION)),
    )
    .group_by(_transaction.c.id)
    .order_by(_transaction.c.id)
)


def of(session_id: int) -> list[Movement]:
    """All of them but the minutes, in the order of their booking."""
    return [
        Movement(row[0], TransferKind(row[1]), row[2], row[3], row[4] or NOTHING, row[5] or NOTHING)
        for row in _MOVEMENTS.rows({"session": session_id})
    ]


def tips(movements: Sequence[Movement]) -> list[Movement]:
    """The tips among them."""
    return [one for one in movements if one.kind is TransferKind.TIP]


def of_tips(movements: Sequence[Movement]) -> frozenset[int]:
    """The numbers of the tips and of what gave them back: no part of what the reading itself came to."""
    given = {one.id for one in tips(movements)}
    return frozenset(given | {one.id for one in movements if one.reverses_id in given})


def at_issue(movements: Sequence[Movement], issued_at: datetime) -> list[Movement]:
    """What a receipt of that instant was written from."""
    apart = of_tips(movements)
    return [one for one in movements if one.id not in apart and one.at <= issued_at]


def later(movements: Sequence[Movement], issued_at: datetime | None) -> list[Movement]:
    """What corrected a receipt after it was written; none before there is one."""
    if issued_at is None:
        return []
    apart = of_tips(movements)
    return [
        one
        for one in movements
        if one.id not in apart and one.at > issued_at and one.kind is not TransferKind.PROMOTION_SPENT
    ]
