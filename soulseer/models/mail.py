"""Mail to people: a row each, so that nothing is lost and nothing is sent twice."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant, one_of

# ``dropped``: the person has no address to send to.
MAIL_STATES = ("queued", "sent", "failed", "dropped")


class MailMessage(db.Model):  # type: ignore[name-defined, misc]
    """One message to one person; ``template`` names a pair of files in templates/email/, ``values`` what they show."""

    __tablename__ = "mail_message"
    __table_args__ = (
        CheckConstraint(one_of("state", MAIL_STATES), name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent"),
        Index("ix_mail_message_due", "next_attempt_at", postgresql_where=text("state = 'queued'")),
        Index("ix_mail_message_person_id_id", "person_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    # The unique name of what it tells: the same again is the same message.
    key: Mapped[str] = mapped_column(unique=True)
    template: Mapped[str]
    values: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(default="queued")
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_attempt_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str | None]
