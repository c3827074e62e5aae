"""Evidence of connections: what Agora told of the call's channel, and what the pages measured (docs/room.md)."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.domain.presence import PARTICIPANTS
from soulseer.models.types import Instant, one_of


class ChannelNotice(db.Model):  # type: ignore[name-defined, misc]
    """A participant came into or left the call's channel, as Agora signed it. Append-only; one row per event of the
    inbox. ``at`` is Agora's instant (whole seconds), never after ``received_at``."""

    __tablename__ = "channel_notice"
    __table_args__ = (
        CheckConstraint(one_of("role", PARTICIPANTS), name="role"),
        CheckConstraint("at <= received_at", name="at"),
        CheckConstraint("NOT joined OR reason IS NULL", name="reason"),
        Index("ix_channel_notice_reading_session_id", "reading_session_id"),
        Index("ix_channel_notice_left", "received_at", postgresql_where=text("NOT joined")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    webhook_event_id: Mapped[int] = mapped_column(ForeignKey("webhook_event.id"), unique=True)
    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"))
    role: Mapped[str]
    joined: Mapped[bool]
    at: Mapped[datetime] = mapped_column(Instant)
    received_at: Mapped[datetime] = mapped_column(Instant)
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[int | None] = mapped_column(Integer)


class ConnectionRecord(db.Model):  # type: ignore[name-defined, misc]
    """What one participant's pages measured from ``began_at`` to ``ended_at``: ``samples`` holds ``count`` records of 22
    bytes each (services/connection_samples.py has the form). Never changed; deleted when it has served its time."""

    __tablename__ = "connection_record"
    __table_args__ = (
        CheckConstraint(one_of("role", PARTICIPANTS), name="role"),
        CheckConstraint("count > 0 AND octet_length(samples) = count * 22", name="samples"),
        CheckConstraint("began_at <= ended_at", name="span"),
        Index("ix_connection_record_ended_at", "ended_at"),
    )

    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    began_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(Instant)
    count: Mapped[int] = mapped_column(SmallInteger)
    samples: Mapped[bytes] = mapped_column(LargeBinary)
