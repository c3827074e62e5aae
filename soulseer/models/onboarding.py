"""Becoming a reader: applications, what staff checked, the gates of a reader, papers that run out, looks at private files."""

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Identity, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.domain.onboarding import OPEN, TAX_FORMS, Gate, Item, Outcome, Paper, Stage
from soulseer.models.types import Instant, one_of

# Whose chosen address of a page nobody else may hand in.
_HANDED_IN = ("submitted", "in_review", "more_wanted")
GATE_CAUSES = ("approved", "staff", "paper")


class ReaderApplication(db.Model):  # type: ignore[name-defined, misc]
    """What somebody tells of themselves to become a reader; a person has one open at most. ``wanted`` are names of
    domain/onboarding.FIELDS. What was decided or withdrawn never changes."""

    __tablename__ = "reader_application"
    __table_args__ = (
        CheckConstraint(one_of("state", Stage), name="state"),
        CheckConstraint(
            "(state IN ('approved', 'rejected')) = (decided_at IS NOT NULL AND decided_by IS NOT NULL)",
            name="decided",
        ),
        CheckConstraint("(state = 'rejected') = (reject_code IS NOT NULL)", name="rejected"),
        CheckConstraint("decided_by IS NULL OR decided_by <> person_id", name="not_by_oneself"),
        CheckConstraint(
            "(agreement_version IS NULL) = (agreement_accepted_at IS NULL)", name="agreement"
        ),
        CheckConstraint(
            f"(tax_form IS NULL OR {one_of('tax_form', TAX_FORMS)}) "
            "AND (tax_form IS NULL) = (tax_signed_on IS NULL)",
            name="tax",
        ),
        Index(
            "uq_reader_application_open", "person_id", unique=True, postgresql_where=text(one_of("state", OPEN))
        ),
        Index(
            "uq_reader_application_slug", "slug", unique=True, postgresql_where=text(one_of("state", _HANDED_IN))
        ),
        Index("ix_reader_application_person_id_id", "person_id", text("id DESC")),
        Index("ix_reader_application_board", "state", "rank"),
        Index("ix_reader_application_waits", "state", "state_since"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    state: Mapped[str] = mapped_column(default=Stage.DRAFT.value)
    state_since: Mapped[datetime] = mapped_column(Instant)
    legal_name: Mapped[str] = mapped_column(default="")
    country: Mapped[str | None]
    birth_date: Mapped[date | None]
    identity_file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    identity_expires_on: Mapped[date | None]
    display_name: Mapped[str] = mapped_column(default="")
    slug: Mapped[str | None]
    languages: Mapped[list[str]] = mapped_column(JSONB, default=list)
    specialties: Mapped[str] = mapped_column(default="")
    about: Mapped[str] = mapped_column(default="")
    photo_file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    sample: Mapped[str] = mapped_column(default="")
    agreement_version: Mapped[str | None]
    agreement_accepted_at: Mapped[datetime | None] = mapped_column(Instant)
    agreement_address: Mapped[str | None]
    tax_form: Mapped[str | None]
    tax_signed_on: Mapped[date | None]
    wanted: Mapped[list[str]] = mapped_column(JSONB, default=list)
    wanted_words: Mapped[str] = mapped_column(default="")
    reject_code: Mapped[str | None]
    reject_words: Mapped[str] = mapped_column(default="")
    reapply_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    submitted_at: Mapped[datetime | None] = mapped_column(Instant)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    # The order of the list, read backwards: the oldest first.
    rank: Mapped[int] = mapped_column(BigInteger, Computed("17592186044415 - id", persisted=True))

    @property
    def stage(self) -> Stage:
        return Stage(self.state)


class ApplicationCheck(db.Model):  # type: ignore[name-defined, misc]
    """A verdict on one item with its evidence; of several on one item the last counts. Never changed."""

    __tablename__ = "application_check"
    __table_args__ = (
        CheckConstraint(one_of("item", Item), name="item"),
        CheckConstraint(one_of("outcome", Outcome), name="outcome"),
        CheckConstraint("scores IS NULL OR item = 'test_reading'", name="scores"),
        CheckConstraint("outcome = 'passed' OR char_length(note) >= 10", name="note"),
        Index("ix_application_check_application_id_id", "application_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("reader_application.id"))
    item: Mapped[str]
    outcome: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    link: Mapped[str | None]
    file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    scores: Mapped[dict[str, int] | None] = mapped_column(JSONB(none_as_null=True))
    actor_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime] = mapped_column(Instant)


class ReaderGate(db.Model):  # type: ignore[name-defined, misc]
    """Whether a reader is listed, or paid out. No row: nothing was ever decided, and the gate stands as it did.
    ``reason`` is read by the reader; ``paper`` is what ran out where that closed it."""

    __tablename__ = "reader_gate"
    __table_args__ = (
        CheckConstraint(one_of("gate", Gate), name="gate"),
        CheckConstraint(one_of("cause", GATE_CAUSES), name="cause"),
        CheckConstraint("open OR reason <> ''", name="reason"),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("reader_profile.person_id"), primary_key=True)
    gate: Mapped[str] = mapped_column(primary_key=True)
    open: Mapped[bool]
    cause: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    since: Mapped[datetime] = mapped_column(Instant)


class ReaderPaper(db.Model):  # type: ignore[name-defined, misc]
    """Something that a reader must keep valid: which (``detail``), and its last day (None: it does not run out).
    ``warned``: days before the end of the last warning; ``expired_at``: when the sweep closed the gate over it."""

    __tablename__ = "reader_paper"
    __table_args__ = (
        CheckConstraint(one_of("kind", Paper), name="kind"),
        Index(
            "ix_reader_paper_expires_on",
            "expires_on",
            postgresql_where=text("expires_on IS NOT NULL AND expired_at IS NULL"),
        ),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("reader_profile.person_id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    detail: Mapped[str] = mapped_column(default="")
    expires_on: Mapped[date | None]
    warned: Mapped[int | None] = mapped_column(SmallInteger)
    expired_at: Mapped[datetime | None] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class FileAccess(db.Model):  # type: ignore[name-defined, misc]
    """A member of staff may open a private file until ``expires_at``: the link that the audit log tells the reason of."""

    __tablename__ = "file_access"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("stored_file.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str]
    granted_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
