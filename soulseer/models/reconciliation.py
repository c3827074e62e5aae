"""Stripe's own list of what moved, where the books differ from it, and the days that finance has closed."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.models.types import Instant, one_of

DIFFERENCE_CLASSES = (
    "missing_webhook",
    "duplicate",
    "amount",
    "fee",
    "timing",
    "orphan_transfer",
    "unexplained",
)
DIFFERENCE_STATES = ("open", "explained", "mended", "closed")
# ``closed``: it has gone by itself; ``mended``: by an approved entry; ``explained``: a person said what it is.
DIFFERENCE_MOVES = (
    ("open", "explained"),
    ("open", "mended"),
    ("open", "closed"),
    ("explained", "open"),
    ("explained", "mended"),
    ("explained", "closed"),
)
LIVE = "state IN ('open', 'explained')"


class StripeBalanceTransaction(db.Model):  # type: ignore[name-defined, misc]
    """One line of Stripe's balance, as Stripe listed it. Append-only. Dollars; ``net`` = ``amount`` − ``fee``.

    ``reference`` is what the line and a ledger transaction are matched by: the payment intent of a charge or a
    refund, the transfer of a reversal, else the line's ``source``, else the line itself.
    """

    __tablename__ = "stripe_balance_transaction"
    __table_args__ = (
        Index("ix_stripe_balance_transaction_reference", "reference"),
        Index("ix_stripe_balance_transaction_created", "created"),
        # Charges by their own id, where the books know them by their payment intent.
        Index(
            "ix_stripe_balance_transaction_source",
            "source",
            postgresql_where=text("source <> reference"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    stripe_id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Money)
    fee: Mapped[Decimal] = mapped_column(Money)
    net: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str]
    source: Mapped[str | None]
    reference: Mapped[str]
    # What of the source tells whose money it is, our own names (its metadata) among it.
    source_facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    created: Mapped[datetime] = mapped_column(Instant)
    available_on: Mapped[datetime] = mapped_column(Instant)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    imported_at: Mapped[datetime] = mapped_column(Instant)


class StripeImport(db.Model):  # type: ignore[name-defined, misc]
    """How far Stripe's list has been read, one row. A crash in the middle of a window goes on behind ``page_after``."""

    __tablename__ = "stripe_import"
    __table_args__ = (CheckConstraint("name = 'balance_transactions'", name="name"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    # All that Stripe created before it is here; by Stripe's clock.
    seen_until: Mapped[datetime | None] = mapped_column(Instant)
    # The window being read (from None: since ever), its newest line, and the last line of the last page that is stored.
    window_from: Mapped[datetime | None] = mapped_column(Instant)
    window_to: Mapped[datetime | None] = mapped_column(Instant)
    page_after: Mapped[str | None]
    # The lines up to this id have had their fees booked.
    booked_through: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class ReconciliationRun(db.Model):  # type: ignore[name-defined, misc]
    """What one comparison came to, dollars. ``gap`` = Stripe's balance − ours; append-only.

    ``unaccounted`` is the part of the gap that no open difference tells of; ``unexplained`` adds the open differences
    of that class, without sign.
    """

    __tablename__ = "reconciliation_run"
    __table_args__ = (Index("ix_reconciliation_run_job_run_id", "job_run_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_run_id: Mapped[int | None] = mapped_column(ForeignKey("job_run.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    whole: Mapped[bool]
    imported: Mapped[int]
    booked: Mapped[int]
    compared: Mapped[int]
    differing: Mapped[int]
    # Open differences by class: {"count": …, "cents": …}.
    open_by_class: Mapped[dict[str, Any]] = mapped_column(JSONB)
    ledger_balance: Mapped[Decimal] = mapped_column(Money)
    stripe_available: Mapped[Decimal] = mapped_column(Money)
    stripe_pending: Mapped[Decimal] = mapped_column(Money)
    gap: Mapped[Decimal] = mapped_column(Money)
    explained: Mapped[Decimal] = mapped_column(Money)
    unexplained: Mapped[Decimal] = mapped_column(Money)
    unaccounted: Mapped[Decimal] = mapped_column(Money)
    # Where the next comparison of what is new goes on.
    entries_through: Mapped[int] = mapped_column(BigInteger)
    lines_through: Mapped[int] = mapped_column(BigInteger)


class ReconciliationDifference(db.Model):  # type: ignore[name-defined, misc]
    """A reference on which the books and Stripe do not agree; one live row for each. Dollars, money at Stripe positive.

    ``proposal`` is what would mend it (services/reconciliation_proposals.py), amounts as strings of dollars.
    """

    __tablename__ = "reconciliation_difference"
    __table_args__ = (
        CheckConstraint(one_of("class", DIFFERENCE_CLASSES), name="class"),
        CheckConstraint(one_of("state", DIFFERENCE_STATES), name="state"),
        CheckConstraint("gap = stripe_amount - ledger_amount", name="gap"),
        CheckConstraint("(state = 'mended') = (transaction_id IS NOT NULL)", name="mended"),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled"),
        Index(
            "uq_reconciliation_difference_live",
            "reference",
            unique=True,
            postgresql_where=text(LIVE),
        ),
        Index("ix_reconciliation_difference_day", "day", postgresql_where=text("state = 'open'")),
        Index("ix_reconciliation_difference_transaction_id", "transaction_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reference: Mapped[str]
    difference_class: Mapped[str] = mapped_column("class", default="unexplained")
    state: Mapped[str] = mapped_column(default="open")
    # What explains it, in words.
    words: Mapped[str] = mapped_column(default="")
    ledger_amount: Mapped[Decimal] = mapped_column(Money)
    stripe_amount: Mapped[Decimal] = mapped_column(Money)
    gap: Mapped[Decimal] = mapped_column(Money)
    # The day (UTC) of the first movement on either side.
    day: Mapped[date]
    proposal: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    first_seen_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    # The first of two people, where the amount asks for two; of exactly this proposal.
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    approved_proposal: Mapped[str | None]
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    resolution: Mapped[str | None]
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"))


class ClosedDay(db.Model):  # type: ignore[name-defined, misc]
    """A day (UTC) whose books are closed: the database refuses new movements on it or before it. Append-only.

    ``sums``: by kind of movement {"count": …, "amount": dollars as a string}.
    """

    __tablename__ = "closed_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    closed_at: Mapped[datetime] = mapped_column(Instant)
    closed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str]
    sums: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # Differences of the day that were left open because what they are is known.
    explained: Mapped[int] = mapped_column(default=0)
