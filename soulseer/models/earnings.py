"""What readers have earned, source by source: when it may be paid out, and what was taken back of it."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.models.types import Instant, one_of

EARNING_SOURCES = ("reading", "booking", "gift", "paid_reply", "shop_order", "tip")
EARNING_STATES = ("pending", "released")


class Earning(db.Model):  # type: ignore[name-defined, misc]
    """A reader's net part of one finalized reading session, or of one other movement with a split. Dollars.

    ``taken_back`` is what refunds took of it while it was pending; ``amount − taken_back`` moves to the available
    earnings at the first release after ``releases_at``.
    """

    __tablename__ = "earning"
    __table_args__ = (
        CheckConstraint(one_of("source", EARNING_SOURCES), name="source"),
        CheckConstraint(one_of("state", EARNING_STATES), name="state"),
        CheckConstraint("amount > 0 AND taken_back BETWEEN 0 AND amount", name="amount"),
        CheckConstraint("(state = 'released') = (released_at IS NOT NULL)", name="released"),
        CheckConstraint("(source = 'reading') = (reading_session_id IS NOT NULL)", name="reading"),
        CheckConstraint("(source = 'reading') = (transaction_id IS NULL)", name="movement"),
        CheckConstraint("state = 'released' OR release_transaction_id IS NULL", name="release"),
        Index("ix_earning_reader_id_id", "reader_id", text("id DESC")),
        Index("ix_earning_due", "releases_at", postgresql_where=text("state = 'pending'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    source: Mapped[str]
    reading_session_id: Mapped[int | None] = mapped_column(ForeignKey("reading_session.id"), unique=True)
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    amount: Mapped[Decimal] = mapped_column(Money)
    taken_back: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    state: Mapped[str] = mapped_column(default="pending")
    earned_at: Mapped[datetime] = mapped_column(Instant)
    releases_at: Mapped[datetime] = mapped_column(Instant)
    released_at: Mapped[datetime | None] = mapped_column(Instant)
    # What moved it to the available earnings; None for one that was taken back whole.
    release_transaction_id: Mapped[int | None] = mapped_column(
        ForeignKey("ledger_transaction.id"), unique=True
    )
