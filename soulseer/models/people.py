"""People, their roles and their sign-ins."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from soulseer.db import db
from soulseer.models.types import Instant, one_of

ROLES = ("client", "reader", "support", "moderator", "finance", "ops", "admin")
STAFF_ROLES = ("support", "moderator", "finance", "ops", "admin")


class Person(db.Model):  # type: ignore[name-defined, misc]
    """A person is an issuer and a subject; the same email under another subject is somebody else."""

    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        Index("uq_person_handle_lower", text("lower(handle)"), unique=True),
        Index("ix_person_email_lower", text("lower(email)")),
        # For the console's search: how a handle or an address begins.
        Index("ix_person_handle_begins", text("lower(handle) text_pattern_ops")),
        Index("ix_person_email_begins", text("lower(email) text_pattern_ops")),
        # A few bytes: how many came on a day.
        Index("ix_person_created_at", "created_at", postgresql_using="brin"),
        Index(
            "ix_person_suspended_until",
            "suspended_until",
            postgresql_where=text("suspended_until IS NOT NULL"),
        ),
        CheckConstraint("handle ~ '^[A-Za-z0-9][A-Za-z0-9_-]{1,38}$'", name="handle"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    email: Mapped[str | None]
    email_verified: Mapped[bool] = mapped_column(default=False)
    handle: Mapped[str]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    created_at: Mapped[datetime] = mapped_column(Instant)
    suspended_at: Mapped[datetime | None] = mapped_column(Instant)
    suspended_reason: Mapped[str | None]
    # None while suspended: for good (services/suspensions.py).
    suspended_until: Mapped[datetime | None] = mapped_column(Instant)

    role_rows: Mapped[list["PersonRole"]] = relationship(lazy="selectin", cascade="all, delete-orphan")

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(row.role for row in self.role_rows)

    @property
    def is_staff(self) -> bool:
        return any(role in STAFF_ROLES for role in self.roles)


class PersonRole(db.Model):  # type: ignore[name-defined, misc]
    """A role that a person holds. Roles come from the database only."""

    __tablename__ = "person_role"
    __table_args__ = (CheckConstraint(one_of("role", ROLES), name="role"),)

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    granted_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class Login(db.Model):  # type: ignore[name-defined, misc]
    """One signed-in browser. The cookie carries the id; this row says whether it still holds."""

    __tablename__ = "login"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    id_token: Mapped[str | None]
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    # Whether the issuer said that a second factor was asked for; when it was last used in the back office.
    second_factor: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    console_seen_at: Mapped[datetime | None] = mapped_column(Instant)
    # A change that came when it had been away for too long: ``path`` and ``form``, to be sent again after a new sign-in.
    console_draft: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    person: Mapped[Person] = relationship(lazy="joined")


class Block(db.Model):  # type: ignore[name-defined, misc]
    """``blocker`` wants no readings with ``blocked``, in either role."""

    __tablename__ = "block"
    __table_args__ = (CheckConstraint("blocker_id <> blocked_id", name="not_oneself"),)

    blocker_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    blocked_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
