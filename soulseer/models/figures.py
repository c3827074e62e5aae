"""What each day came to, for the console's trends: counted from the rows that say so, and counted anew at any time."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import db
from soulseer.models.types import Instant


class DailyFigures(db.Model):  # type: ignore[name-defined, misc]
    """One day, UTC. Money in whole cents. ``dropped``: readings of the day in which somebody lost the connection."""

    __tablename__ = "daily_figures"
    __table_args__ = (
        CheckConstraint(
            "charged >= 0 AND minutes >= 0 AND sessions >= dropped AND dropped >= 0 AND sign_ups >= 0 AND refunded >= 0",
            name="counted",
        ),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    charged: Mapped[int] = mapped_column(BigInteger)
    revenue: Mapped[int] = mapped_column(BigInteger)
    minutes: Mapped[int] = mapped_column(BigInteger)
    sessions: Mapped[int] = mapped_column(BigInteger)
    dropped: Mapped[int] = mapped_column(BigInteger)
    sign_ups: Mapped[int] = mapped_column(BigInteger)
    refunded: Mapped[int] = mapped_column(BigInteger)
    counted_at: Mapped[datetime] = mapped_column(Instant)
