"""Payouts to readers by Stripe Connect: their accounts there, each payout, and what of it came back."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.models.types import Instant, one_of

PAYOUT_ORIGINS = ("weekly", "request")
# open: on its way, its outcome not known; paid: at the reader's Stripe account; failed: never sent;
# reversed: sent, and all of it came back.
PAYOUT_STATES = ("open", "paid", "failed", "reversed")
PAYOUT_MOVES = (("open", "paid"), ("open", "failed"), ("paid", "reversed"))


class PayoutAccount(db.Model):  # type: ignore[name-defined, misc]
    """A reader's account at Stripe as Stripe last told of it; the row comes before the account is asked for.

    ``currently_due``, ``past_due`` and ``pending_verification`` are Stripe's codes of requirements. A pause bears its
    reason, in words that the reader may read; ``paused_by`` None is the system.
    """

    __tablename__ = "payout_account"
    __table_args__ = (
        CheckConstraint(
            "(paused_at IS NULL) = (pause_reason IS NULL) AND (paused_at IS NOT NULL OR paused_by IS NULL)",
            name="pause",
        ),
        Index("ix_payout_account_due", "next_check_at"),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    stripe_account_id: Mapped[str | None] = mapped_column(unique=True)
    details_submitted: Mapped[bool] = mapped_column(default=False)
    transfers_enabled: Mapped[bool] = mapped_column(default=False)
    payouts_enabled: Mapped[bool] = mapped_column(default=False)
    currently_due: Mapped[list[str]] = mapped_column(JSONB, default=list)
    past_due: Mapped[list[str]] = mapped_column(JSONB, default=list)
    pending_verification: Mapped[list[str]] = mapped_column(JSONB, default=list)
    disabled_reason: Mapped[str | None]
    paused_at: Mapped[datetime | None] = mapped_column(Instant)
    paused_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    pause_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    # When Stripe last told of it, and when the sweep asks again.
    checked_at: Mapped[datetime | None] = mapped_column(Instant)
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)


class Payout(db.Model):  # type: ignore[name-defined, misc]
    """All that a reader had available, on its way to the Stripe account of that moment. Dollars.

    Recorded before Stripe is asked, together with the ledger transaction that sets the money aside
    (``transaction_id``). A payout empties the available earnings, so that its statement is what moved them since
    ``after_transaction_id``, the movement of the last payout before that was not in vain.
    """

    __tablename__ = "payout"
    __table_args__ = (
        CheckConstraint(one_of("origin", PAYOUT_ORIGINS), name="origin"),
        CheckConstraint(one_of("state", PAYOUT_STATES), name="state"),
        CheckConstraint("amount > 0 AND reversed_amount BETWEEN 0 AND amount", name="amount"),
        CheckConstraint("(state IN ('paid', 'reversed')) = (paid_at IS NOT NULL)", name="paid"),
        CheckConstraint(
            "(state = 'failed') = (failed_at IS NOT NULL AND failure IS NOT NULL)", name="failed"
        ),
        CheckConstraint(
            "(state = 'reversed') = (reversed_amount = amount) AND (paid_at IS NOT NULL OR reversed_amount = 0)",
            name="reversed",
        ),
        CheckConstraint("paid_at IS NULL OR stripe_transfer_id IS NOT NULL", name="transfer"),
        Index("uq_payout_open", "person_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_payout_due", "next_check_at", postgresql_where=text("state = 'open'")),
        Index("ix_payout_person_id_id", "person_id", text("id DESC")),
        UniqueConstraint("person_id", "idempotency_key"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    origin: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(default="USD")
    state: Mapped[str] = mapped_column(default="open")
    stripe_account_id: Mapped[str]
    stripe_transfer_id: Mapped[str | None] = mapped_column(unique=True)
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    after_transaction_id: Mapped[int] = mapped_column(BigInteger)
    # The reader's own name for the request: the same again is the same payout.
    idempotency_key: Mapped[str | None]
    # Why it failed, in words that the reader may read.
    failure: Mapped[str | None]
    reversed_amount: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    # When the sweep takes it up again; None: its outcome is known, or a person must look.
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)
    paid_at: Mapped[datetime | None] = mapped_column(Instant)
    failed_at: Mapped[datetime | None] = mapped_column(Instant)


class PayoutReversal(db.Model):  # type: ignore[name-defined, misc]
    """Dollars of a payout that Stripe took back from the reader's account, and the movement that says so."""

    __tablename__ = "payout_reversal"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_payout_reversal_payout_id", "payout_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    payout_id: Mapped[int] = mapped_column(ForeignKey("payout.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
