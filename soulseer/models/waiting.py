"""Who waits for whom: places in a reader's queue, "tell me when free", the one use of free minutes. Guards: 0017."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant, one_of

PLACE_STATES = ("waiting", "held", "served", "lapsed", "left", "closed")
PLACE_CAUSES = ("reader_offline", "client_busy", "funds", "blocked", "suspended")
NOTICE_STATES = ("open", "told", "seen", "cancelled", "expired")
_LIVE = text("state IN ('waiting', 'held')")


class QueuePlace(db.Model):  # type: ignore[name-defined, misc]
    """A client's place in the queue of a busy reader, in order of ``id``; ``held``: until ``held_until`` only this
    client may ring. A client waits in one queue at a time."""

    __tablename__ = "queue_place"
    __table_args__ = (
        CheckConstraint(one_of("state", PLACE_STATES), name="state"),
        CheckConstraint(f"cause IS NULL OR {one_of('cause', PLACE_CAUSES)}", name="cause"),
        CheckConstraint("(state = 'closed') = (cause IS NOT NULL)", name="closed"),
        CheckConstraint("(state IN ('waiting', 'held')) = (closed_at IS NULL)", name="closed_at"),
        CheckConstraint(
            "(state <> 'held' OR held_until IS NOT NULL) AND (state <> 'waiting' OR held_until IS NULL)",
            name="held",
        ),
        CheckConstraint("client_id <> reader_id", name="not_oneself"),
        Index("uq_queue_place_client_id_live", "client_id", unique=True, postgresql_where=_LIVE),
        Index("ix_queue_place_reader_id_live", "reader_id", "id", postgresql_where=_LIVE),
        Index(
            "uq_queue_place_reader_id_held",
            "reader_id",
            unique=True,
            postgresql_where=text("state = 'held'"),
        ),
        Index("ix_queue_place_reader_id", "reader_id"),
        Index("ix_queue_place_client_id", "client_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("reader_profile.person_id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    held_until: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(default="waiting")
    cause: Mapped[str | None]


class FreeNotice(db.Model):  # type: ignore[name-defined, misc]
    """A client wants to be told once when the reader is free, until ``expires_at``; ``seen`` once they were."""

    __tablename__ = "free_notice"
    __table_args__ = (
        CheckConstraint(one_of("state", NOTICE_STATES), name="state"),
        CheckConstraint("state NOT IN ('told', 'seen') OR told_at IS NOT NULL", name="told"),
        CheckConstraint("expires_at > created_at", name="expires_at"),
        CheckConstraint("client_id <> reader_id", name="not_oneself"),
        Index(
            "uq_free_notice_pair_open",
            "client_id",
            "reader_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index(
            "ix_free_notice_client_id_live", "client_id", postgresql_where=text("state IN ('open', 'told')")
        ),
        Index("ix_free_notice_reader_id_open", "reader_id", postgresql_where=text("state = 'open'")),
        Index("ix_free_notice_expires_at", "expires_at", postgresql_where=text("state IN ('open', 'told')")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("reader_profile.person_id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    told_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(default="open")


class FreeMinutesUse(db.Model):  # type: ignore[name-defined, misc]
    """The one reading whose first ``minutes`` the platform paid for this client, out of the credit named here."""

    __tablename__ = "free_minutes_use"
    __table_args__ = (CheckConstraint("minutes BETWEEN 1 AND 5", name="minutes"),)

    client_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"), unique=True)
    promotional_credit_id: Mapped[int] = mapped_column(ForeignKey("promotional_credit.id"), unique=True)
    used_at: Mapped[datetime] = mapped_column(Instant)
    minutes: Mapped[int] = mapped_column(SmallInteger)
