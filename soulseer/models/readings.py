"""Reading sessions, their events, messages, notes and receipts. Rules: design §4."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from soulseer.db import Money, db
from soulseer.domain.money import earned_cents, from_cents
from soulseer.domain.readings import LIVE, Action, CeilingKind, EndReason, Modality, PauseCause, Role, State
from soulseer.models.files import StoredFile
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.types import Instant, one_of


class ReadingSession(db.Model):  # type: ignore[name-defined, misc]
    """One live reading. Rate, share and minimum are snapshots of the request. Times in microseconds where exact.

    No index holds a column that a paid minute changes, so that the tick's updates stay heap-only (design §3).
    """

    __tablename__ = "reading_session"
    __table_args__ = (
        CheckConstraint(one_of("state", State), name="state"),
        CheckConstraint(one_of("modality", Modality), name="modality"),
        CheckConstraint(f"pause_cause IS NULL OR {one_of('pause_cause', PauseCause)}", name="pause_cause"),
        CheckConstraint(f"end_reason IS NULL OR {one_of('end_reason', EndReason)}", name="end_reason"),
        CheckConstraint("client_id <> reader_id", name="not_oneself"),
        CheckConstraint("rate > 0 AND reader_rate >= 0 AND reader_rate <= rate", name="rate"),
        CheckConstraint("reader_share BETWEEN 0 AND 1", name="reader_share"),
        CheckConstraint(
            "minutes_billed >= 0 AND active_microseconds >= 0 AND kept_microseconds >= 0 AND reconnects >= 0",
            name="counts",
        ),
        CheckConstraint(
            "(state = 'active') = (active_since IS NOT NULL)"
            " AND (state <> 'active' OR (paid_until IS NOT NULL AND covered_until IS NOT NULL))",
            name="active",
        ),
        CheckConstraint(
            "state NOT IN ('paused', 'reconnecting') OR (grace_until IS NOT NULL AND pause_cause IS NOT NULL)",
            name="paused",
        ),
        CheckConstraint(
            "(state IN ('ended', 'finalized')) = (ended_at IS NOT NULL AND end_reason IS NOT NULL)",
            name="ended",
        ),
        CheckConstraint("(state = 'finalized') = (finalized_at IS NOT NULL)", name="finalized"),
        CheckConstraint(
            "num_nulls(max_minutes, ceiling_kind, ceiling_asked) IN (0, 3)"
            f" AND (ceiling_kind IS NULL OR {one_of('ceiling_kind', CeilingKind)}) AND ceiling_asked > 0",
            name="ceiling",
        ),
        CheckConstraint("max_minutes > 0 AND minutes_billed <= max_minutes", name="within_ceiling"),
        Index("ix_reading_session_client_id_id", "client_id", text("id DESC")),
        Index("ix_reading_session_reader_id_id", "reader_id", text("id DESC")),
        Index("ix_reading_session_created_at", "created_at", postgresql_using="brin"),
        Index("ix_reading_session_active", "id", postgresql_where=text("state = 'active'")),
        Index(
            "ix_reading_session_waiting",
            "ring_until",
            postgresql_where=text("state IN ('created', 'waiting')"),
        ),
        Index(
            "ix_reading_session_grace",
            "grace_until",
            postgresql_where=text("state IN ('paused', 'reconnecting')"),
        ),
        Index("ix_reading_session_ended", "ended_at", postgresql_where=text("state = 'ended'")),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("reader_profile.person_id"))
    client_account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    reader_account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    ring_until: Mapped[datetime] = mapped_column(Instant)
    client_joined_at: Mapped[datetime | None] = mapped_column(Instant)
    reader_joined_at: Mapped[datetime | None] = mapped_column(Instant)
    activated_at: Mapped[datetime | None] = mapped_column(Instant)
    active_since: Mapped[datetime | None] = mapped_column(Instant)
    # These three change with every paid minute: side by side, the log of an update is short.
    paid_until: Mapped[datetime | None] = mapped_column(Instant)
    covered_until: Mapped[datetime | None] = mapped_column(Instant)
    minutes_billed: Mapped[int] = mapped_column(Integer, default=0)
    paused_at: Mapped[datetime | None] = mapped_column(Instant)
    grace_until: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    finalized_at: Mapped[datetime | None] = mapped_column(Instant)
    active_microseconds: Mapped[int] = mapped_column(BigInteger, default=0)
    kept_microseconds: Mapped[int] = mapped_column(BigInteger, default=0)
    # Cents a minute; the two parts that every minute's row is made of.
    rate_cents: Mapped[int] = mapped_column("rate", Integer)
    reader_rate_cents: Mapped[int] = mapped_column("reader_rate", Integer)
    credit_cents: Mapped[int] = mapped_column("credit", Integer, default=0)
    minimum_minutes: Mapped[int] = mapped_column(SmallInteger)
    reconnects: Mapped[int] = mapped_column(SmallInteger, default=0)
    # The reader's offer as of the request: first minutes that the platform pays where the client has had none.
    free_minutes: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    # What the client limited: minutes that may be billed in all, and what was asked for (minutes or cents).
    max_minutes: Mapped[int | None] = mapped_column(Integer)
    ceiling_kind: Mapped[str | None]
    ceiling_asked: Mapped[int | None] = mapped_column(Integer)
    reader_share: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    state: Mapped[str]
    modality: Mapped[str]
    pause_cause: Mapped[str | None]
    end_reason: Mapped[str | None]
    channel: Mapped[str] = mapped_column(unique=True)
    currency: Mapped[str] = mapped_column(default="USD")

    client: Mapped[Person] = relationship(lazy="raise", foreign_keys=[client_id])
    reader: Mapped[ReaderProfile] = relationship(lazy="raise", foreign_keys=[reader_id])

    @property
    def rate(self) -> Decimal:
        """Dollars a minute, as of the request."""
        return from_cents(self.rate_cents)

    @property
    def cost(self) -> Decimal:
        """Dollars charged so far, less what was given back."""
        return from_cents(self.minutes_billed * self.rate_cents - self.credit_cents)

    @property
    def earned(self) -> Decimal:
        """Dollars that the reader has earned so far, less the reader's part of what was given back."""
        return from_cents(
            earned_cents(
                self.minutes_billed,
                self.rate_cents,
                self.reader_rate_cents,
                self.credit_cents,
                self.reader_share,
            )
        )

    @property
    def ceiling_minutes_left(self) -> int | None:
        """Minutes that may still be charged by the client's own limit, None without one."""
        return None if self.max_minutes is None else self.max_minutes - self.minutes_billed

    @property
    def ceiling_reached(self) -> bool:
        return self.ceiling_minutes_left == 0

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    def role_of(self, person_id: int) -> Role | None:
        """The participant's role, None for anybody else."""
        if person_id == self.client_id:
            return Role.CLIENT
        return Role.READER if person_id == self.reader_id else None


class LiveParticipant(db.Model):  # type: ignore[name-defined, misc]
    """One row for each side of a live session: the primary key lets nobody be in two, in whichever role."""

    __tablename__ = "live_participant"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"), index=True)


class ReadingSessionEvent(db.Model):  # type: ignore[name-defined, misc]
    """Every move: when it took effect, when it was recorded, by whom and why. Append-only."""

    __tablename__ = "reading_session_event"
    __table_args__ = (
        CheckConstraint(one_of("action", Action), name="action"),
        CheckConstraint(one_of("actor_role", Role), name="actor_role"),
        Index("ix_reading_session_event_reading_session_id_id", "reading_session_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"))
    effective_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    actor_role: Mapped[str]
    action: Mapped[str]
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    cause: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class ReadingMessage(db.Model):  # type: ignore[name-defined, misc]
    """A message in the room. ``number`` orders them without holes; ``client_key`` makes a repeated send one message."""

    __tablename__ = "reading_message"
    __table_args__ = (
        UniqueConstraint("reading_session_id", "sender_id", "client_key"),
        CheckConstraint(
            "char_length(body) <= 4000 AND (char_length(body) >= 1 OR file_id IS NOT NULL)", name="body"
        ),
        Index(
            "uq_reading_message_file_id", "file_id", unique=True, postgresql_where=text("file_id IS NOT NULL")
        ),
    )

    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sender_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    client_key: Mapped[uuid.UUID]
    # Empty only where there is a picture.
    body: Mapped[str]
    file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    file: Mapped[StoredFile | None] = relationship(lazy="raise")
    # Contact details that were recognised (services/message_contacts.py) and sent all the same: "email,phone".
    contact_kinds: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    # By a moderator (services/flag_contents.py): not shown; the words shown in place of ``body``.
    hidden_at: Mapped[datetime | None] = mapped_column(Instant)
    edited_body: Mapped[str | None]


class ReadingMark(db.Model):  # type: ignore[name-defined, misc]
    """Up to which message a participant's page has got them (``delivered``) and they have seen them (``read``). Live it
    is kept in Redis; written here with the next message of either."""

    __tablename__ = "reading_mark"
    __table_args__ = (CheckConstraint("delivered >= read AND read >= 0", name="numbers"),)

    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    delivered: Mapped[int]
    read: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(Instant)


class ReadingNote(db.Model):  # type: ignore[name-defined, misc]
    """A participant's private note on a session."""

    __tablename__ = "reading_note"
    __table_args__ = (CheckConstraint("char_length(body) <= 4000", name="body"),)

    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"), primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    body: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(Instant)


class ReadingReceipt(db.Model):  # type: ignore[name-defined, misc]
    """What a finalized session came to. Append-only; ``code`` names it outside.

    ``statement`` is what was signed, word for word, by the key that ``signing_key`` names; receipts that were written
    before there were signatures have none.
    """

    __tablename__ = "reading_receipt"
    __table_args__ = (
        CheckConstraint(
            "charged >= 0 AND credited >= 0 AND total = charged - credited"
            " AND total = reader_part + platform_part AND minutes >= 0",
            name="balanced",
        ),
        CheckConstraint("num_nulls(statement, signing_key, signature) IN (0, 3)", name="signed"),
    )

    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    minutes: Mapped[int]
    active_microseconds: Mapped[int] = mapped_column(BigInteger)
    charged: Mapped[Decimal] = mapped_column(Money)
    credited: Mapped[Decimal] = mapped_column(Money)
    total: Mapped[Decimal] = mapped_column(Money)
    reader_part: Mapped[Decimal] = mapped_column(Money)
    platform_part: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(default="USD")
    issued_at: Mapped[datetime] = mapped_column(Instant)
    statement: Mapped[str | None]
    signing_key: Mapped[str | None]
    signature: Mapped[str | None]
