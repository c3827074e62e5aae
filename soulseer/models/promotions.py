"""Promotional credit: grants that expire, and what each has paid for. Guards are triggers in migrations/."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.models.types import Instant, one_of

PROMOTION_STATES = ("open", "spent", "expired")


class PromotionalCredit(db.Model):  # type: ignore[name-defined, misc]
    """Credit of ``amount`` dollars until ``expires_at``; ``remaining`` of it is unspent and only ever falls.

    ``source_id`` names the grant that paid for what was given back here. Moved under the lock of ``account_id``, the
    person's promotional account, whose balance is the sum of ``remaining``.
    """

    __tablename__ = "promotional_credit"
    __table_args__ = (
        CheckConstraint(one_of("state", PROMOTION_STATES), name="state"),
        CheckConstraint(
            "amount > 0 AND remaining >= 0 AND expired >= 0 AND remaining + expired <= amount", name="amount"
        ),
        CheckConstraint("(state = 'open') = (remaining > 0)", name="remaining"),
        CheckConstraint("(state = 'expired') = (expired > 0)", name="expired"),
        CheckConstraint("expires_at > created_at", name="expires_at"),
        UniqueConstraint("transaction_id", "source_id", postgresql_nulls_not_distinct=True),
        # By state and not by remaining, so that spending a part of it touches no index.
        Index(
            "ix_promotional_credit_wallet_id_open",
            "wallet_id",
            "expires_at",
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_promotional_credit_due", "expires_at", postgresql_where=text("state = 'open'")),
        Index("ix_promotional_credit_person_id_id", "person_id", text("id DESC")),
        Index("ix_promotional_credit_granted_by_created_at", "granted_by", "created_at"),
        Index("ix_promotional_credit_source_id", "source_id", postgresql_where=text("source_id IS NOT NULL")),
        Index(
            "ix_promotional_credit_only_session_id",
            "only_session_id",
            unique=True,
            postgresql_where=text("only_session_id IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    wallet_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    remaining: Mapped[Decimal] = mapped_column(Money)
    expired: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    warned_at: Mapped[datetime | None] = mapped_column(Instant)
    # The movement that filled it: a promotion, or the refund that gave it back.
    transaction_id: Mapped[int] = mapped_column(ForeignKey("ledger_transaction.id"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("promotional_credit.id"))
    # Where set, the one reading that it may pay for (services/free_minutes.py).
    only_session_id: Mapped[int | None] = mapped_column(ForeignKey("reading_session.id"))
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    state: Mapped[str] = mapped_column(default="open")
    # The unique name of the grant: a second click finds the first one's.
    key: Mapped[str] = mapped_column(unique=True)
    reason: Mapped[str]


class PromotionalSpend(db.Model):  # type: ignore[name-defined, misc]
    """``amount`` dollars of one grant, moved to the wallet for ``purpose`` (``reading:17``); ``returned`` of it was
    given back since."""

    __tablename__ = "promotional_spend"
    __table_args__ = (
        CheckConstraint("amount > 0 AND returned BETWEEN 0 AND amount", name="amount"),
        UniqueConstraint("transaction_id", "promotional_credit_id"),
        Index("ix_promotional_spend_purpose", "purpose"),
        Index("ix_promotional_spend_promotional_credit_id", "promotional_credit_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    promotional_credit_id: Mapped[int] = mapped_column(ForeignKey("promotional_credit.id"))
    transaction_id: Mapped[int] = mapped_column(ForeignKey("ledger_transaction.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    returned: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    purpose: Mapped[str]
