"""Disputed payments, what was answered to the bank, and holds that stop a person's spending."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.domain.disputes import DisputeState
from soulseer.models.types import Instant, one_of

HOLD_KINDS = ("dispute", "debt", "staff")
RESPONSE_KINDS = ("evidence", "accept")
RESPONSE_STATES = ("recorded", "sent", "refused")
RESPONSE_MOVES = (("recorded", "sent"), ("recorded", "refused"))


class Dispute(db.Model):  # type: ignore[name-defined, misc]
    """A payment that its payer's bank asks back: a top-up, or a subscription's invoice. Dollars.

    ``taken_amount`` went back to the bank: of a top-up ``wallet_part`` out of the wallet and ``receivable_part`` owed
    since, of an invoice ``platform_part``, the platform's own revenue.
    ``returned_transaction_id`` is what undid it once the dispute was won.
    """

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint(one_of("state", DisputeState), name="state"),
        CheckConstraint("amount > 0 AND fee >= 0", name="amount"),
        CheckConstraint(
            "wallet_part >= 0 AND receivable_part >= 0 AND platform_part >= 0"
            " AND taken_amount = wallet_part + receivable_part + platform_part AND taken_amount <= amount",
            name="parts",
        ),
        CheckConstraint("num_nonnulls(top_up_id, subscription_invoice_id) = 1", name="payment"),
        # A wallet is not asked for what a plan cost, nor the platform for what a wallet got.
        CheckConstraint(
            "CASE WHEN top_up_id IS NULL THEN wallet_part + receivable_part ELSE platform_part END = 0",
            name="bearer",
        ),
        CheckConstraint("written_off BETWEEN 0 AND receivable_part", name="written_off"),
        CheckConstraint("(taken_transaction_id IS NOT NULL) = (taken_amount > 0)", name="taken"),
        CheckConstraint(
            "returned_transaction_id IS NULL OR taken_transaction_id IS NOT NULL", name="returned"
        ),
        Index("ix_dispute_person_id_id", "person_id", text("id DESC")),
        Index("ix_dispute_top_up_id", "top_up_id"),
        Index(
            "ix_dispute_subscription_invoice_id",
            "subscription_invoice_id",
            postgresql_where=text("subscription_invoice_id IS NOT NULL"),
        ),
        Index(
            "ix_dispute_open",
            "person_id",
            postgresql_where=text("state IN ('needs_response', 'under_review')"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    stripe_dispute_id: Mapped[str] = mapped_column(unique=True)
    top_up_id: Mapped[int | None] = mapped_column(ForeignKey("top_up.id"))
    subscription_invoice_id: Mapped[int | None] = mapped_column(ForeignKey("subscription_invoice.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(default="USD")
    # Stripe's own word, such as ``fraudulent``.
    reason: Mapped[str]
    state: Mapped[str]
    taken_amount: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    wallet_part: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    receivable_part: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    platform_part: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    written_off: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    # What Stripe charged for it, for show: reconciliation books it.
    fee: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    taken_transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    returned_transaction_id: Mapped[int | None] = mapped_column(
        ForeignKey("ledger_transaction.id"), unique=True
    )
    # When the bank asked; when we heard of it.
    opened_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    evidence_due_at: Mapped[datetime | None] = mapped_column(Instant)
    evidence_submitted_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)


class DisputeResponse(db.Model):  # type: ignore[name-defined, misc]
    """What staff answer to the bank: recorded before Stripe is asked to pass it on."""

    __tablename__ = "dispute_response"
    __table_args__ = (
        CheckConstraint(one_of("kind", RESPONSE_KINDS), name="kind"),
        CheckConstraint(one_of("state", RESPONSE_STATES), name="state"),
        CheckConstraint("(state = 'recorded') = (next_check_at IS NOT NULL)", name="due"),
        # One under way at a time: Stripe takes one answer.
        Index(
            "uq_dispute_response_under_way",
            "dispute_id",
            unique=True,
            postgresql_where=text("state = 'recorded'"),
        ),
        Index("ix_dispute_response_dispute_id_id", "dispute_id", "id"),
        Index("ix_dispute_response_due", "next_check_at", postgresql_where=text("state = 'recorded'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    dispute_id: Mapped[int] = mapped_column(ForeignKey("dispute.id"))
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="recorded")
    actor_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    # Evidence fields by Stripe's names; the pack as a PDF, where it goes along.
    fields: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    document: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    stripe_file_id: Mapped[str | None]
    failure: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)


class SpendingHold(db.Model):  # type: ignore[name-defined, misc]
    """While one stands (``lifted_at`` is NULL), the person cannot spend. ``reason`` is for the person to read."""

    __tablename__ = "spending_hold"
    __table_args__ = (
        CheckConstraint(one_of("kind", HOLD_KINDS), name="kind"),
        CheckConstraint("lifted_at IS NULL OR lifted_at >= since", name="lifted"),
        CheckConstraint("kind <> 'staff' OR actor_id IS NOT NULL", name="actor"),
        Index(
            "uq_spending_hold_standing",
            "person_id",
            "kind",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
        Index("ix_spending_hold_person_id_id", "person_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    kind: Mapped[str]
    reason: Mapped[str]
    since: Mapped[datetime] = mapped_column(Instant)
    # The member of staff who placed it; None where the system did.
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    lifted_at: Mapped[datetime | None] = mapped_column(Instant)
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
