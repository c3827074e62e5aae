"""The double-entry ledger. The guards (append-only, zero-sum, balances, floors) are triggers in migrations/.

Rare movements are a LedgerTransaction with LedgerEntry rows; the minute of a reading session, of which there are
millions, is one balanced row of ``reading_minute`` whose three entries are a view (ADR 0004).
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from soulseer.db import Money, db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.people import Person
from soulseer.models.types import Instant, one_of


class LedgerAccount(db.Model):  # type: ignore[name-defined, misc]
    """``balance`` is the cached sum of its entries; hot platform accounts keep theirs in LedgerShard instead."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        CheckConstraint(one_of("kind", AccountKind), name="kind"),
        CheckConstraint("floor IS NULL OR balance >= floor", name="floor"),
        UniqueConstraint("owner_id", "kind", "currency", postgresql_nulls_not_distinct=True),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    balance: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    floor: Mapped[Decimal | None] = mapped_column(Money)
    kind: Mapped[str]
    currency: Mapped[str] = mapped_column(default="USD")
    hot: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)

    owner: Mapped[Person | None] = relationship(lazy="raise")


class LedgerShard(db.Model):  # type: ignore[name-defined, misc]
    """A part of a hot account's balance; the balance is the sum of its shards."""

    __tablename__ = "ledger_shard"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"), primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    balance: Mapped[Decimal] = mapped_column(Money, server_default="0")


class LedgerTransaction(db.Model):  # type: ignore[name-defined, misc]
    """One movement of money but a reading minute; ``idempotency_key`` is its unique name."""

    __tablename__ = "ledger_transaction"
    __table_args__ = (
        CheckConstraint(one_of("kind", (k for k in TransferKind if k != "reading_minute")), name="kind"),
        # The keys of minutes live in reading_minute; nobody may use one twice by way of this table.
        CheckConstraint("idempotency_key !~ '^reading:[0-9]+:minute:'", name="not_a_minute"),
        # Rows come in this order and never change: what a day booked, for a few bytes.
        Index("ix_ledger_transaction_created_at", "created_at", postgresql_using="brin"),
        Index(
            "ix_ledger_transaction_reading_session_id",
            "reading_session_id",
            postgresql_where=text("reading_session_id IS NOT NULL"),
        ),
        Index(
            "ix_ledger_transaction_job_run_id",
            "job_run_id",
            postgresql_where=text("job_run_id IS NOT NULL"),
        ),
        Index(
            "ix_ledger_transaction_reverses_id",
            "reverses_id",
            postgresql_where=text("reverses_id IS NOT NULL"),
        ),
        Index(
            "ix_ledger_transaction_stripe_reference",
            "stripe_reference",
            postgresql_where=text("stripe_reference IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    reading_session_id: Mapped[int | None] = mapped_column(ForeignKey("reading_session.id"))
    stripe_reference: Mapped[str | None]
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    memo: Mapped[str] = mapped_column(default="")
    # The run of a job that booked it; None: a person or a program did.
    job_run_id: Mapped[int | None] = mapped_column(ForeignKey("job_run.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)

    entries: Mapped[list["LedgerEntry"]] = relationship(
        lazy="raise", order_by="LedgerEntry.id", viewonly=True
    )


class LedgerEntry(db.Model):  # type: ignore[name-defined, misc]
    """One side of a transaction; a rise in a wallet or in earnings is positive."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_ledger_entry_account_id_id", "account_id", text("id DESC")),
        Index("ix_ledger_entry_transaction_id", "transaction_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("ledger_transaction.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(default="USD")

    account: Mapped[LedgerAccount] = relationship(lazy="raise")


class ReadingMinute(db.Model):  # type: ignore[name-defined, misc]
    """Minute ``minute`` of a session, paid: client −amount, reader's pending earnings +reader_part, platform +platform_part.

    Its idempotency key is ``reading:{session}:minute:{minute}``, here as the natural primary key. No foreign key: the
    insert is made from the session's own row, and ``flask ledger check`` looks for orphans (ADR 0004).
    """

    __tablename__ = "reading_minute"
    __table_args__ = (
        CheckConstraint(
            "minute > 0 AND amount > 0 AND reader_part >= 0 AND platform_part >= 0 "
            "AND amount = reader_part + platform_part",
            name="balanced",
        ),
        # A few bytes for each 128 pages: what was charged in a day, without an index that each minute must pay for.
        Index("ix_reading_minute_charged_at", "charged_at", postgresql_using="brin"),
    )

    reading_session_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    charged_at: Mapped[datetime] = mapped_column(Instant)
    job_run_id: Mapped[int | None] = mapped_column(BigInteger)
    minute: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    amount_cents: Mapped[int] = mapped_column("amount", Integer)
    reader_cents: Mapped[int] = mapped_column("reader_part", Integer)
    platform_cents: Mapped[int] = mapped_column("platform_part", Integer)


class LedgerAlert(db.Model):  # type: ignore[name-defined, misc]
    """Something in the books that a person must look at; it stays open until resolved with a reason."""

    __tablename__ = "ledger_alert"
    __table_args__ = (
        Index(
            "uq_ledger_alert_open",
            "kind",
            "reading_session_id",
            "reference",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    reading_session_id: Mapped[int | None] = mapped_column(ForeignKey("reading_session.id"))
    # What it is about, where that is no reading session: an event's id, ``top_up:17``.
    reference: Mapped[str] = mapped_column(default="", server_default="")
    detail: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)
    resolved_at: Mapped[datetime | None] = mapped_column(Instant)
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    resolution: Mapped[str | None]
