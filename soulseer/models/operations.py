"""Runs of jobs, the audit log and its chain."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant, one_of

OUTCOMES = ("running", "succeeded", "failed")


class JobRun(db.Model):  # type: ignore[name-defined, misc]
    """One run of a job. ``triggered_by`` is None for the schedule, else the member of staff who asked."""

    __tablename__ = "job_run"
    __table_args__ = (
        CheckConstraint(one_of("outcome", OUTCOMES), name="outcome"),
        CheckConstraint("(outcome = 'running') = (finished_at IS NULL)", name="finished"),
        CheckConstraint(
            "(discarded_at IS NULL) = (discarded_by IS NULL) AND (discarded_at IS NULL OR outcome = 'failed')",
            name="discarded",
        ),
        Index("uq_job_run_job_slot", "job", "slot", unique=True, postgresql_where=text("slot IS NOT NULL")),
        Index("ix_job_run_job_id", "job", text("id DESC")),
        Index("ix_job_run_failed", "started_at", postgresql_where=text("outcome = 'failed'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job: Mapped[str]
    slot: Mapped[str | None]
    triggered_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str | None]
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    dry_run: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str] = mapped_column(default="running")
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    error: Mapped[str | None]
    # A member of staff looked at the failure and found nothing to be done (any more).
    discarded_at: Mapped[datetime | None] = mapped_column(Instant)
    discarded_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class AuditEntry(db.Model):  # type: ignore[name-defined, misc]
    """What staff or jobs did to money or people. Append-only, written in the same transaction as the deed.

    ``subject_id`` is whom it is about; ``approver_id`` the second person where one was needed; ``before`` and ``after``
    hold the columns of the thing that changed (services/audit_changes.py).
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_object", "object_type", "object_id"),
        Index("ix_audit_entry_actor_id", "actor_id", text("id DESC")),
        Index("ix_audit_entry_subject_id", "subject_id", text("id DESC")),
        Index("ix_audit_entry_action", "action", text("id DESC")),
        Index("ix_audit_entry_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    action: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    request_id: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(Instant)
    subject_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    approver_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class AuditPending(db.Model):  # type: ignore[name-defined, misc]
    """An entry that the chain does not hold yet; a trigger writes it with the entry (0024)."""

    __tablename__ = "audit_pending"

    entry_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class AuditLink(db.Model):  # type: ignore[name-defined, misc]
    """An entry's place in the chain: ``hash`` covers the place, ``content_hash`` and the hash before. Append-only."""

    __tablename__ = "audit_link"
    __table_args__ = (CheckConstraint("position > 0", name="position"),)

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ForeignKey("audit_entry.id"), unique=True)
    content_hash: Mapped[str]
    hash: Mapped[str]
    linked_at: Mapped[datetime] = mapped_column(Instant)
