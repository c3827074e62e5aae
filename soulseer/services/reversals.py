"""What may be given back of a reading, or of any other movement with a split, and how the parts are shared.

``reading_minute`` rows and ledger transactions stay as they are: what was given back of one is kept in its ``reversal``
row, whose lock and CHECKs let several refunds never come to more than was charged (docs/money.md, Refunds).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.domain.money import from_cents, reader_gave_back, to_cents
from soulseer.domain.refunds import reader_gave_back_of
from soulseer.domain.transfers import TRANSFERS, TransferKind
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from soulseer.models.readings import ReadingReceipt, ReadingSession
from soulseer.models.refunds import Reversal

READING, TRANSACTION, TOP_UP, INVOICE = "reading", "transaction", "top_up", "invoice"
# What was paid by card goes back to it; the rest goes back to the wallet that paid.
TO_CARD = (TOP_UP, INVOICE)
NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Source:
    """What is given back: ``kind`` is ``reading``, ``transaction``, ``top_up`` or ``invoice`` (of a subscription), ``id``
    its number."""

    kind: str
    id: int

    def __str__(self) -> str:
        return f"{self.kind.replace('_', '-')} {self.id}"


@dataclass(frozen=True)
class Reversible:
    """A movement that may be taken back, dollars. ``total``: what the client paid in the end, ``credited`` what a fair
    credit took off before; ``refunded`` of it is given back already. ``rate`` and ``minutes`` are a reading's.

    ``purpose`` is how promotional credit names what it paid: a reading's ``reading:17``, else the movement's key.
    """

    source: Source
    client_id: int
    reader_id: int | None
    total: Decimal
    reader_total: Decimal
    purpose: str
    refunded: Decimal = NOTHING
    reader_refunded: Decimal = NOTHING
    credited: Decimal = NOTHING
    rate: Decimal | None = None
    reader_rate: Decimal = NOTHING
    share: Decimal = NOTHING
    minutes: int | None = None

    @property
    def rest(self) -> Decimal:
        """What may still be given back."""
        return self.total - self.refunded

    def reader_part(self, amount: Decimal) -> Decimal:
        """What the reader gives of ``amount`` more; over all refunds exactly the reader's part."""
        after = to_cents(self.refunded + amount)
        if self.rate is None:
            gave = reader_gave_back_of(to_cents(self.total), to_cents(self.reader_total), after)
        else:
            rates = to_cents(self.rate), to_cents(self.reader_rate), self.share
            credit = to_cents(self.credited)
            gave = reader_gave_back(*rates, credit + after) - reader_gave_back(*rates, credit)
        return from_cents(gave) - self.reader_refunded

    def amount_of(self, minutes: int) -> Decimal:
        """What ``minutes`` of a reading come to, the rest at most. Raises InvalidInput."""
        if self.rate is None or self.minutes is None:
            raise InvalidInput("minutes", "Only readings have minutes; enter an amount.")
        if not 1 <= minutes <= self.minutes:
            raise InvalidInput("minutes", f"Enter from 1 to {self.minutes} minutes.")
        return min(self.rate * minutes, self.rest)


def of(source: Source) -> Reversible:
    """What may be given back of a reading or a movement now. Raises NotFound; Conflict where it is not to be taken back
    at all."""
    return _of_reading(source) if source.kind == READING else _of_transaction(source)


def lock(source: Source, now: datetime) -> tuple[Reversal, Reversible]:
    """The same with its ``reversal`` row locked, made first where this is the first time. Raises as ``of``."""
    whole = of(source)
    column = "reading_session_id" if source.kind == READING else "transaction_id"
    values: dict[str, Any] = {
        column: source.id,
        "client_id": whole.client_id,
        "reader_id": whole.reader_id,
        "total": whole.total,
        "reader_total": whole.reader_total,
        "created_at": now,
    }
    db.session.execute(upsert(Reversal).values(values).on_conflict_do_nothing(index_elements=[column]))
    row = db.session.scalars(
        select(Reversal)
        .where(getattr(Reversal, column) == source.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    # Read again behind the lock: somebody else may have given back meanwhile.
    return row, of(source)


def _of_reading(source: Source) -> Reversible:
    found = db.session.execute(
        select(ReadingSession, ReadingReceipt, Reversal.refunded, Reversal.reader_refunded)
        .outerjoin(ReadingReceipt, ReadingReceipt.reading_session_id == ReadingSession.id)
        .outerjoin(Reversal, Reversal.reading_session_id == ReadingSession.id)
        .where(ReadingSession.id == source.id)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no reading {source.id}.")
    session, receipt, refunded, reader_refunded = found
    if receipt is None:
        raise Conflict(f"Reading {source.id} is {session.state}: it can be given back once it is finalized.")
    if receipt.total <= 0:
        raise Conflict(f"Nothing was charged for reading {source.id}.")
    return Reversible(
        source=source,
        client_id=session.client_id,
        reader_id=session.reader_id,
        total=receipt.total,
        reader_total=receipt.reader_part,
        purpose=f"reading:{source.id}",
        refunded=refunded or NOTHING,
        reader_refunded=reader_refunded or NOTHING,
        credited=receipt.credited,
        rate=session.rate,
        reader_rate=from_cents(session.reader_rate_cents),
        share=session.reader_share,
        minutes=receipt.minutes,
    )


def can_be_taken_back(kind: str) -> bool:
    """Whether movements of ``kind`` are a client's spending with a split: what refunds are of."""
    transfer = TRANSFERS[TransferKind(kind)]
    return transfer.split and A.CLIENT_WALLET in transfer.sources


def _of_transaction(source: Source) -> Reversible:
    found = db.session.execute(
        select(LedgerTransaction, Reversal.refunded, Reversal.reader_refunded)
        .outerjoin(Reversal, Reversal.transaction_id == LedgerTransaction.id)
        .where(LedgerTransaction.id == source.id)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no ledger transaction {source.id}.")
    movement, refunded, reader_refunded = found
    if not can_be_taken_back(movement.kind):
        raise Conflict(f"A {movement.kind.replace('_', ' ')} cannot be refunded to a wallet.")
    if _otherwise_taken_back(source.id):
        raise Conflict(f"Transaction {source.id} was taken back by another movement.")
    parts: dict[A, tuple[int | None, Decimal]] = {
        A(kind): (owner_id, amount)
        for kind, owner_id, amount in db.session.execute(
            select(LedgerAccount.kind, LedgerAccount.owner_id, LedgerEntry.amount)
            .join(LedgerEntry, LedgerEntry.account_id == LedgerAccount.id)
            .where(LedgerEntry.transaction_id == source.id)
        )
    }
    client_id, paid = parts.get(A.CLIENT_WALLET, (None, NOTHING))
    reader_id, earned = parts.get(A.READER_EARNINGS_PENDING, (None, NOTHING))
    if client_id is None or paid >= 0:
        raise Conflict(f"Transaction {source.id} was not paid by a wallet.")
    return Reversible(
        source=source,
        client_id=client_id,
        reader_id=reader_id,
        total=-paid,
        reader_total=earned,
        purpose=movement.idempotency_key,
        refunded=refunded or NOTHING,
        reader_refunded=reader_refunded or NOTHING,
    )


def _otherwise_taken_back(transaction_id: int) -> bool:
    return (
        db.session.scalar(
            select(LedgerTransaction.id)
            .where(
                LedgerTransaction.reverses_id == transaction_id,
                LedgerTransaction.kind != TransferKind.REFUND_TO_WALLET.value,
            )
            .limit(1)
        )
        is not None
    )
