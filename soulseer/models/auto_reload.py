"""Automatic top-ups: what a person agreed to, and saved cards that Stripe is to forget."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.models.types import Instant, one_of

OFF_REASONS = ("person", "refused", "card_removed")


class AutoReload(db.Model):  # type: ignore[name-defined, misc]
    """Below ``threshold`` dollars, add ``amount``, at most ``monthly_cap`` in a calendar month of the person's zone."""

    __tablename__ = "auto_reload"
    __table_args__ = (
        CheckConstraint("threshold > 0 AND amount > 0 AND monthly_cap >= amount", name="amounts"),
        CheckConstraint(one_of("off_reason", OFF_REASONS), name="off_reason"),
        CheckConstraint("enabled = (off_reason IS NULL)", name="off"),
        CheckConstraint("NOT enabled OR enabled_at IS NOT NULL", name="enabled_at"),
        CheckConstraint("failures >= 0", name="failures"),
        Index("ix_auto_reload_account_id", "account_id", postgresql_where=text("enabled")),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    enabled: Mapped[bool]
    threshold: Mapped[Decimal] = mapped_column(Money)
    amount: Mapped[Decimal] = mapped_column(Money)
    monthly_cap: Mapped[Decimal] = mapped_column(Money)
    # Refusals of the card in a row; after too many it is switched off.
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    # Not again before this instant, after a refusal.
    next_try_at: Mapped[datetime | None] = mapped_column(Instant)
    # Why it is off; None while it is on.
    off_reason: Mapped[str | None]
    # When the person last agreed to it.
    enabled_at: Mapped[datetime | None] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class RetiredCard(db.Model):  # type: ignore[name-defined, misc]
    """A saved card that is to be detached at Stripe: the intent, and later the outcome."""

    __tablename__ = "retired_card"
    __table_args__ = (
        CheckConstraint("(next_check_at IS NULL) = (detached_at IS NOT NULL)", name="detached_at"),
        Index("ix_retired_card_due", "next_check_at", postgresql_where=text("detached_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    payment_method_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)
    detached_at: Mapped[datetime | None] = mapped_column(Instant)
