"""Private files: a row each, written before the bytes are, so that nothing lies in the storage that no row names."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant, one_of

# pending: announced, perhaps uploaded; removing: to be deleted from the storage; removed: gone from there.
FILE_STATES = ("pending", "stored", "removing", "removed")
FILE_MOVES = (("pending", "stored"), ("pending", "removing"), ("stored", "removing"), ("removing", "removed"))


class StoredFile(db.Model):  # type: ignore[name-defined, misc]
    """A file of its owner, under ``key`` in the storage. ``description`` is a picture's alternative text, for those who
    do not see it; ``sha256`` and ``size`` (bytes) are those of what is stored, not of what was sent."""

    __tablename__ = "stored_file"
    __table_args__ = (
        CheckConstraint(one_of("state", FILE_STATES), name="state"),
        CheckConstraint("size > 0 AND octet_length(sha256) = 32", name="content"),
        CheckConstraint("char_length(description) <= 300", name="description"),
        CheckConstraint("(state IN ('pending', 'removing')) = (next_check_at IS NOT NULL)", name="open"),
        Index("ix_stored_file_due", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    purpose: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="pending")
    content_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[bytes]
    width: Mapped[int | None]
    height: Mapped[int | None]
    description: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)
