"""What staff switch off for a while: all billing, or one job."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant


class BillingStop(db.Model):  # type: ignore[name-defined, misc]
    """From ``begins_at`` until it is lifted no minute is charged: every charge asks for a standing row (services/billing.py)."""

    __tablename__ = "billing_stop"
    __table_args__ = (
        CheckConstraint("num_nonnulls(lifted_at, lifted_by, lift_reason) IN (0, 3)", name="lifted"),
        # One stands at most, whoever asks at once.
        Index(
            "uq_billing_stop_standing",
            text("(lifted_at IS NULL)"),
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    begins_at: Mapped[datetime] = mapped_column(Instant)
    stopped_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str]
    lifted_at: Mapped[datetime | None] = mapped_column(Instant)
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    lift_reason: Mapped[str | None]


class JobPause(db.Model):  # type: ignore[name-defined, misc]
    """Runs of ``job`` that nobody asked for by hand are left out from ``begins_at`` to ``until``, or until it is lifted before.

    ``lifted_by`` is None where its time ran out and another took its place.
    """

    __tablename__ = "job_pause"
    __table_args__ = (
        CheckConstraint("until > begins_at", name="until"),
        CheckConstraint("lifted_at IS NOT NULL OR lifted_by IS NULL", name="lifted"),
        Index("uq_job_pause_standing", "job", unique=True, postgresql_where=text("lifted_at IS NULL")),
        Index("ix_job_pause_job_id", "job", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job: Mapped[str]
    begins_at: Mapped[datetime] = mapped_column(Instant)
    until: Mapped[datetime] = mapped_column(Instant)
    paused_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str]
    lifted_at: Mapped[datetime | None] = mapped_column(Instant)
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
