"""Flags, cases, what was decided, and appeals (design §1)."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.domain.moderation import AppealState, CaseState, Deed, Outcome
from soulseer.models.types import Instant, one_of


class ModerationCase(db.Model):  # type: ignore[name-defined, misc]
    """A moderator's work item: all flags on one thing while it is open. ``weight`` in thousandths of a sure reporter.

    ``object_id`` as the kind writes it (services/flag_kinds.py). A session is a case per side that is flagged.
    """

    __tablename__ = "moderation_case"
    __table_args__ = (
        CheckConstraint(one_of("state", CaseState), name="state"),
        CheckConstraint("(claimed_by IS NULL) = (claimed_until IS NULL)", name="claimed"),
        CheckConstraint("flag_count >= 0 AND weight >= 0", name="counts"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        Index(
            "uq_moderation_case_open",
            "kind",
            "object_id",
            "author_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_moderation_case_queue", "state", "rank"),
        Index("ix_moderation_case_thing", "kind", "object_id", text("id DESC")),
        Index("ix_moderation_case_author_id_id", "author_id", text("id DESC")),
        Index("ix_moderation_case_claimed_by", "claimed_by", postgresql_where=text("claimed_by IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    object_id: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    state: Mapped[str] = mapped_column(default=CaseState.OPEN.value)
    priority: Mapped[int] = mapped_column(SmallInteger)
    weight: Mapped[int] = mapped_column(Integer, default=0)
    flag_count: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_flag_at: Mapped[datetime] = mapped_column(Instant)
    claimed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    claimed_until: Mapped[datetime | None] = mapped_column(Instant)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    # The queue's order, read backwards: the higher priority first, then the older case.
    rank: Mapped[int] = mapped_column(
        BigInteger, Computed("priority * 17592186044416 + (17592186044415 - id)", persisted=True)
    )


class Flag(db.Model):  # type: ignore[name-defined, misc]
    """A report, with the content as it was then. ``reporter_id`` None is the house. Only ``outcome`` ever changes."""

    __tablename__ = "flag"
    __table_args__ = (
        CheckConstraint(f"outcome IS NULL OR {one_of('outcome', Outcome)}", name="outcome"),
        CheckConstraint("char_length(note) <= 1000", name="note"),
        CheckConstraint("weight BETWEEN 0 AND 1000", name="weight"),
        Index(
            "uq_flag_reporter",
            "case_id",
            "reporter_id",
            unique=True,
            postgresql_where=text("reporter_id IS NOT NULL"),
        ),
        Index(
            "uq_flag_house", "case_id", "reason", unique=True, postgresql_where=text("reporter_id IS NULL")
        ),
        Index("ix_flag_reporter_id_id", "reporter_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("moderation_case.id"))
    reporter_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSONB)
    weight: Mapped[int] = mapped_column(SmallInteger)
    outcome: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)


class ModerationAction(db.Model):  # type: ignore[name-defined, misc]
    """What was decided, by whom, under which policy, in which words; ``actor_id`` None is the house.

    ``details`` holds what undoing needs (what was there before). ``appeal_code`` opens the author's page without a
    sign-in, which a suspended person does not have. Only the undoing is ever written later.
    """

    __tablename__ = "moderation_action"
    __table_args__ = (
        CheckConstraint(one_of("action", Deed), name="action"),
        CheckConstraint("(actor_id IS NULL) = (action = 'auto_hide')", name="actor"),
        CheckConstraint("(action = 'suspend') = (ends_at IS NOT NULL)", name="ends"),
        CheckConstraint(
            "undone_at IS NOT NULL OR (undone_by IS NULL AND undone_reason IS NULL)", name="undone"
        ),
        # What an appeal points at, so that its decider cannot be misstated.
        UniqueConstraint("id", "actor_id"),
        Index(
            "uq_moderation_action_in_force",
            "case_id",
            unique=True,
            postgresql_where=text("undone_at IS NULL AND action <> 'auto_hide'"),
        ),
        Index(
            "uq_moderation_action_auto_hide",
            "case_id",
            unique=True,
            postgresql_where=text("undone_at IS NULL AND action = 'auto_hide'"),
        ),
        Index("ix_moderation_action_case_id_id", "case_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("moderation_case.id"))
    action: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    policy: Mapped[str | None]
    canned: Mapped[str | None]
    words: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    at: Mapped[datetime] = mapped_column(Instant)
    appeal_code: Mapped[str] = mapped_column(unique=True)
    undone_at: Mapped[datetime | None] = mapped_column(Instant)
    undone_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    undone_reason: Mapped[str | None]


class Appeal(db.Model):  # type: ignore[name-defined, misc]
    """The author asks another moderator to look: one an action. ``decider_id`` decided what is appealed against."""

    __tablename__ = "appeal"
    __table_args__ = (
        ForeignKeyConstraint(
            ["action_id", "decider_id"],
            ["moderation_action.id", "moderation_action.actor_id"],
            name="fk_appeal_action_id_moderation_action",
        ),
        CheckConstraint(one_of("state", AppealState), name="state"),
        CheckConstraint("(state = 'open') = (decided_by IS NULL)", name="decided"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("decided_by <> decider_id AND decided_by <> author_id", name="another_moderator"),
        CheckConstraint("char_length(words) BETWEEN 1 AND 2000", name="words"),
        Index("ix_appeal_case_id", "case_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    action_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("moderation_case.id"))
    decider_id: Mapped[int] = mapped_column(BigInteger)
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    words: Mapped[str]
    state: Mapped[str] = mapped_column(default=AppealState.OPEN.value)
    answer: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
