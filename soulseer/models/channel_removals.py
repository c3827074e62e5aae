"""Who is to be removed from a call's channel at Agora, a row each: nobody asks Agora for what no row announces."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant, one_of

REASONS = ("money_over", "session_over")
REMOVAL_STATES = ("wanted", "done", "given_up")


class ChannelRemoval(db.Model):  # type: ignore[name-defined, misc]
    """``uid`` (the person's id) is to leave the session's channel because of what took effect at ``reason_at``, and to stay
    out for ``ban_seconds``. ``rule_id`` is Agora's; ``error`` says why it was put off or given up."""

    __tablename__ = "channel_removal"
    __table_args__ = (
        CheckConstraint(one_of("reason", REASONS), name="reason"),
        CheckConstraint(one_of("state", REMOVAL_STATES), name="state"),
        CheckConstraint("uid > 0 AND ban_seconds >= 0 AND attempts >= 0", name="numbers"),
        CheckConstraint(
            "num_nonnulls(next_check_at) = CASE state WHEN 'wanted' THEN 1 ELSE 0 END"
            " AND num_nonnulls(settled_at) = CASE state WHEN 'wanted' THEN 0 ELSE 1 END",
            name="settled",
        ),
        UniqueConstraint("reading_session_id", "uid", "reason", "reason_at"),
        Index("ix_channel_removal_due", "next_check_at", postgresql_where=text("state = 'wanted'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"))
    uid: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    reason_at: Mapped[datetime] = mapped_column(Instant)
    ban_seconds: Mapped[int]
    state: Mapped[str] = mapped_column(default="wanted")
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    rule_id: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]
