"""What staff wrote about people, when they suspended them themselves, and when they looked at the site as them."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant


class StaffNote(db.Model):  # type: ignore[name-defined, misc]
    """A note of staff about a person, for staff alone. Withdrawn, it is kept and no longer pinned to the top."""

    __tablename__ = "staff_note"
    __table_args__ = (
        CheckConstraint("char_length(body) BETWEEN 1 AND 500", name="body"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="withdrawn"),
        CheckConstraint("NOT pinned OR withdrawn_at IS NULL", name="pinned"),
        Index("ix_staff_note_person_id_id", "person_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    body: Mapped[str]
    pinned: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class StaffSuspension(db.Model):  # type: ignore[name-defined, misc]
    """A suspension by staff without a case. ``before`` is what lifting it puts back (services/suspensions.py);
    ``lifted_by`` is None where its time was over."""

    __tablename__ = "staff_suspension"
    __table_args__ = (
        CheckConstraint("until > at", name="until"),
        CheckConstraint("lifted_by IS NULL OR lifted_at IS NOT NULL", name="lifted"),
        Index(
            "uq_staff_suspension_person_id",
            "person_id",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    actor_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(Instant)
    until: Mapped[datetime] = mapped_column(Instant)
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    lifted_at: Mapped[datetime | None] = mapped_column(Instant)
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class StaffView(db.Model):  # type: ignore[name-defined, misc]
    """A member of staff looks at the site as somebody else, from ``started_at`` until ``ends_at`` or ``ended_at``.
    ``login_id`` is the browser that may: in another one of theirs it holds nothing."""

    __tablename__ = "staff_view"
    __table_args__ = (
        CheckConstraint("staff_id <> person_id", name="not_oneself"),
        CheckConstraint("ends_at > started_at", name="ends"),
        Index("ix_staff_view_person_id_id", "person_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    login_id: Mapped[uuid.UUID]
    reason: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
