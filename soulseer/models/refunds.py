"""Refunds to the wallet and to the card, what may be given back of a movement, and withdrawals."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.domain.refunds import BOOKED, Destination, Origin, RefundState
from soulseer.models.types import Instant, one_of

SOURCES = ("reading_session_id", "source_transaction_id", "top_up_id", "subscription_invoice_id")


def _waiting(source: str) -> Index:
    # One request at a time waits for approval: the second of two at once is refused.
    return Index(
        f"uq_refund_waiting_{source}",
        source,
        unique=True,
        postgresql_where=text("state = 'requested' AND needs_approval"),
    )


def _by_source(source: str) -> Index:
    return Index(f"ix_refund_{source}", source, postgresql_where=text(f"{source} IS NOT NULL"))


class Reversal(db.Model):  # type: ignore[name-defined, misc]
    """What was given back of one reading, or of one other movement with a split, so far; its row is the lock under
    which that grows, and its CHECKs refuse more than there was. Dollars.

    ``total`` is what the client paid in the end (a fair credit is off it already), ``reader_total`` the reader's part.
    """

    __tablename__ = "reversal"
    __table_args__ = (
        CheckConstraint("num_nonnulls(reading_session_id, transaction_id) = 1", name="source"),
        CheckConstraint("total > 0 AND reader_total BETWEEN 0 AND total", name="total"),
        CheckConstraint("refunded BETWEEN 0 AND total", name="refunded"),
        CheckConstraint("reader_refunded BETWEEN 0 AND reader_total", name="reader_refunded"),
        CheckConstraint(
            "refunded - reader_refunded BETWEEN 0 AND total - reader_total", name="platform_refunded"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reading_session_id: Mapped[int | None] = mapped_column(ForeignKey("reading_session.id"), unique=True)
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reader_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    total: Mapped[Decimal] = mapped_column(Money)
    reader_total: Mapped[Decimal] = mapped_column(Money)
    refunded: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    reader_refunded: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    created_at: Mapped[datetime] = mapped_column(Instant)


class Withdrawal(db.Model):  # type: ignore[name-defined, misc]
    """A client's wish to have unspent money back: one or more refunds to the cards it came from. Append-only."""

    __tablename__ = "withdrawal"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_withdrawal_person_id_id", "person_id", text("id DESC")),
        UniqueConstraint("person_id", "request_key"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(default="USD")
    # The client's own name for this request: the same again is the same withdrawal.
    request_key: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)


class Refund(db.Model):  # type: ignore[name-defined, misc]
    """Money given back to a client, dollars: of a reading or another movement to the wallet, of a top-up or a subscription's
    invoice to the card.

    ``plan`` is what was previewed, and ``plan_hash`` names its entries: what is booked is that and nothing else.
    """

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint(one_of("state", RefundState), name="state"),
        CheckConstraint(one_of("destination", Destination), name="destination"),
        CheckConstraint(one_of("origin", Origin), name="origin"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(
            "num_nonnulls(reading_session_id, source_transaction_id, top_up_id, subscription_invoice_id) = 1",
            name="source",
        ),
        CheckConstraint(
            "(destination = 'card') = (num_nonnulls(top_up_id, subscription_invoice_id) = 1)", name="card"
        ),
        CheckConstraint("(origin = 'withdrawal') = (withdrawal_id IS NOT NULL)", name="withdrawal"),
        CheckConstraint("(origin IN ('stripe', 'evidence')) = (requested_by IS NULL)", name="requested_by"),
        CheckConstraint(f"({one_of('state', BOOKED)}) = (transaction_id IS NOT NULL)", name="booked"),
        CheckConstraint("(state = 'failed') = (returned_transaction_id IS NOT NULL)", name="returned"),
        CheckConstraint("state <> 'settled' OR settled_at IS NOT NULL", name="settled"),
        CheckConstraint(
            "decided_by IS NULL OR decided_by <> requested_by OR state = 'cancelled'", name="four_eyes"
        ),
        CheckConstraint(
            f"NOT needs_approval OR NOT ({one_of('state', BOOKED)}) OR decided_by IS NOT NULL",
            name="approval",
        ),
        UniqueConstraint("requested_by", "request_key"),
        Index("ix_refund_person_id_id", "person_id", text("id DESC")),
        Index("ix_refund_withdrawal_id", "withdrawal_id", postgresql_where=text("withdrawal_id IS NOT NULL")),
        Index("ix_refund_due", "next_check_at", postgresql_where=text("state IN ('approved', 'sent')")),
        Index("ix_refund_state_id", "state", text("id DESC")),
        *(_waiting(source) for source in SOURCES),
        *(_by_source(source) for source in SOURCES),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    destination: Mapped[str]
    origin: Mapped[str]
    state: Mapped[str] = mapped_column(default="requested")
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(default="USD")
    reading_session_id: Mapped[int | None] = mapped_column(ForeignKey("reading_session.id"))
    source_transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"))
    top_up_id: Mapped[int | None] = mapped_column(ForeignKey("top_up.id"))
    subscription_invoice_id: Mapped[int | None] = mapped_column(ForeignKey("subscription_invoice.id"))
    withdrawal_id: Mapped[int | None] = mapped_column(ForeignKey("withdrawal.id"))
    reason: Mapped[str] = mapped_column(default="")
    plan: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    plan_hash: Mapped[str]
    needs_approval: Mapped[bool] = mapped_column(default=False)
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    # The form's own key: a double click asks once.
    request_key: Mapped[str | None]
    requested_at: Mapped[datetime] = mapped_column(Instant)
    # Who approved, declined or cancelled it, and why.
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    decision: Mapped[str | None]
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    returned_transaction_id: Mapped[int | None] = mapped_column(
        ForeignKey("ledger_transaction.id"), unique=True
    )
    stripe_refund_id: Mapped[str | None] = mapped_column(unique=True)
    # Why it failed, in words that the client may read.
    failure: Mapped[str | None]
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    failed_at: Mapped[datetime | None] = mapped_column(Instant)
    # When the sweep asks Stripe (again); None: nothing to ask.
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def source(self) -> tuple[str, int]:
        """What it gives back: ``reading``, ``transaction``, ``top_up`` or ``invoice``, and its number."""
        for name, number in (
            ("reading", self.reading_session_id),
            ("transaction", self.source_transaction_id),
            ("top_up", self.top_up_id),
            ("invoice", self.subscription_invoice_id),
        ):
            if number is not None:
                return name, number
        raise LookupError(f"refund {self.id} has no source")
