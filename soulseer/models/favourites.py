"""What people keep of each other: favourite readers, and private notes across sessions."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant


class Favourite(db.Model):  # type: ignore[name-defined, misc]
    """A reader whom a person keeps at hand; nobody else is told."""

    __tablename__ = "favourite"
    __table_args__ = (
        UniqueConstraint("person_id", "reader_id"),
        CheckConstraint("person_id <> reader_id", name="not_oneself"),
        Index("ix_favourite_person_id_id", "person_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("reader_profile.person_id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class PersonNote(db.Model):  # type: ignore[name-defined, misc]
    """What its author keeps in mind of somebody they had readings with; shown to the author alone."""

    __tablename__ = "person_note"
    __table_args__ = (
        CheckConstraint("char_length(body) <= 4000", name="body"),
        CheckConstraint("author_id <> about_id", name="not_oneself"),
    )

    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    about_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    body: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(Instant)
