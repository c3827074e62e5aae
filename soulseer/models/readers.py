"""Readers as clients see them: profile, rates, reviews."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Identity, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from soulseer.db import Money, db
from soulseer.domain.readings import Modality
from soulseer.models.people import Person
from soulseer.models.types import Instant, one_of

READER_STATUSES = ("applied", "verified", "rejected", "suspended")
# Why the site turned a reader's switch; None where the reader did.
OFFLINE_CAUSES = ("missed_rings",)


class ReaderProfile(db.Model):  # type: ignore[name-defined, misc]
    """A reader's public page. Only verified and listed readers are shown; ``online`` is the reader's own switch."""

    __tablename__ = "reader_profile"
    __table_args__ = (
        CheckConstraint(one_of("status", READER_STATUSES), name="status"),
        CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'", name="slug"),
        CheckConstraint("rating_sum >= rating_count AND rating_sum <= 5 * rating_count", name="rating"),
        CheckConstraint("NOT listed OR status = 'verified'", name="listed_when_verified"),
        CheckConstraint(
            f"offline_cause IS NULL OR ({one_of('offline_cause', OFFLINE_CAUSES)} AND NOT online)",
            name="offline_cause",
        ),
        CheckConstraint("free_minutes BETWEEN 0 AND 5", name="free_minutes"),
        # Read backwards: online first, then the better rated, then the one who came first.
        Index(
            "ix_reader_profile_browse_order",
            "online",
            "rating_thousandths",
            text("(- person_id)"),
            postgresql_where=text("listed"),
        ),
        Index(
            "ix_reader_profile_search",
            text("(display_name || ' ' || headline || ' ' || specialties) gin_trgm_ops"),
            postgresql_using="gin",
        ),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    headline: Mapped[str] = mapped_column(default="")
    specialties: Mapped[str] = mapped_column(default="")
    biography: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="applied")
    listed: Mapped[bool] = mapped_column(default=False)
    online: Mapped[bool] = mapped_column(default=False)
    rating_sum: Mapped[int] = mapped_column(default=0)
    rating_count: Mapped[int] = mapped_column(default=0)
    # How many of the reviews counted above gave so many stars.
    stars_1: Mapped[int] = mapped_column(default=0, server_default="0")
    stars_2: Mapped[int] = mapped_column(default=0, server_default="0")
    stars_3: Mapped[int] = mapped_column(default=0, server_default="0")
    stars_4: Mapped[int] = mapped_column(default=0, server_default="0")
    stars_5: Mapped[int] = mapped_column(default=0, server_default="0")
    rating_thousandths: Mapped[int] = mapped_column(
        Computed(
            "CASE WHEN rating_count = 0 THEN 0 ELSE rating_sum * 1000 / rating_count END", persisted=True
        )
    )
    created_at: Mapped[datetime] = mapped_column(Instant)
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
    # When the switch was last turned on; rings missed before it no longer count.
    online_since: Mapped[datetime | None] = mapped_column(Instant)
    offline_cause: Mapped[str | None]
    # First minutes of a new client's first such reading that the platform pays (services/free_minutes.py); 0: no offer.
    free_minutes: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")

    person: Mapped[Person] = relationship(lazy="raise")
    rates: Mapped[list["ReaderRate"]] = relationship(lazy="raise", order_by="ReaderRate.rate")

    @property
    def rating_average(self) -> Decimal | None:
        """Mean stars to one decimal, None without reviews."""
        if not self.rating_count:
            return None
        return (Decimal(self.rating_sum) / self.rating_count).quantize(Decimal("0.1"))


class ReaderRate(db.Model):  # type: ignore[name-defined, misc]
    """Dollars a minute for one modality; not offered, no reading."""

    __tablename__ = "reader_rate"
    __table_args__ = (
        CheckConstraint(one_of("modality", Modality), name="modality"),
        CheckConstraint("rate BETWEEN 1 AND 100000", name="rate"),
        Index("ix_reader_rate_modality_rate", "modality", "rate", postgresql_where=text("offered")),
    )

    reader_id: Mapped[int] = mapped_column(ForeignKey("reader_profile.person_id"), primary_key=True)
    modality: Mapped[str] = mapped_column(primary_key=True)
    rate: Mapped[Decimal] = mapped_column(Money)
    offered: Mapped[bool] = mapped_column(default=True)


class Review(db.Model):  # type: ignore[name-defined, misc]
    """By the client of a finalized, paid session: one a session. ``answer`` is the reader's. One that is hidden is not
    shown and not counted in the reader's rating."""

    __tablename__ = "review"
    __table_args__ = (
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="answer"),
        Index("ix_review_reader_id_id", "reader_id", text("id DESC")),
        Index("ix_review_reader_id_stars_id", "reader_id", "stars", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reading_session_id: Mapped[int] = mapped_column(ForeignKey("reading_session.id"), unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("reader_profile.person_id"))
    stars: Mapped[int]
    body: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    # By a moderator (services/flag_contents.py; the columns are 0020's): the words shown in place of ``body``.
    hidden_at: Mapped[datetime | None] = mapped_column(Instant)
    edited_body: Mapped[str | None]
    edited_at: Mapped[datetime | None] = mapped_column(Instant)
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    answer_edited_at: Mapped[datetime | None] = mapped_column(Instant)

    client: Mapped[Person] = relationship(lazy="raise")
