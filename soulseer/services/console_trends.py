"""Trends on the front page: a row for each day that is over, and the present day counted as it stands.

Each figure of a day is counted by an instant that never changes (a minute's charge, a request, a booking, a sign-up), so
that a day can be counted anew whenever somebody asks, and comes to the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.money import from_cents
from soulseer.models.figures import DailyFigures
from soulseer.services.console import day_start

DAY = timedelta(days=1)
SHOWN = 30
# A reading asked for before midnight may begin, and drop, after it: the last days are counted again at each run.
UNSETTLED = 3
FIGURES = ("charged", "revenue", "minutes", "sessions", "dropped", "sign_ups", "refunded")

_COUNTED = text("""
WITH paid AS (
    SELECT coalesce(sum(amount), 0)::bigint AS charged, coalesce(sum(platform_part), 0)::bigint AS revenue,
           count(*) AS minutes
    FROM reading_minute WHERE charged_at >= :since AND charged_at < :until
), read AS (
    SELECT count(*) AS sessions, count(*) FILTER (WHERE EXISTS (
        SELECT FROM reading_session_event e WHERE e.reading_session_id = s.id AND e.action = 'drop')) AS dropped
    FROM reading_session s
    WHERE s.created_at >= :since AND s.created_at < :until AND s.activated_at IS NOT NULL
), come AS (
    SELECT count(*) AS sign_ups FROM person WHERE created_at >= :since AND created_at < :until
), back AS (
    SELECT coalesce(sum(e.amount), 0)::bigint AS refunded
    FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id AND e.amount > 0
    WHERE t.kind IN ('refund_to_wallet', 'refund_to_card') AND t.created_at >= :since AND t.created_at < :until
)
SELECT * FROM paid, read, come, back
""").bindparams(*(bindparam(name, type_=DateTime(timezone=True)) for name in ("since", "until")))


@dataclass(frozen=True)
class Trend:
    """``values`` of the last days, the oldest first, the present one last; ``sum_`` over the whole days of them and
    ``before`` over as many before those. ``kind``: money (dollars), number, or rate (per cent)."""

    name: str
    label: str
    kind: str
    values: tuple[Any, ...]
    sum_: Any
    before: Any

    @property
    def change(self) -> int | None:
        """Per cent (for a rate: points) against the days before; None where there is nothing to compare with."""
        if self.kind == "rate":
            return None if self.before is None or self.sum_ is None else round(self.sum_ - self.before)
        return round(100 * (self.sum_ - self.before) / self.before) if self.before else None


@dataclass(frozen=True)
class Trends:
    """``days`` of the values; ``missing``: how many whole days of them nobody has counted yet."""

    days: tuple[date, ...]
    today: dict[str, int]
    lines: tuple[Trend, ...]
    missing: int

    @property
    def charged_today(self) -> Decimal:
        """Dollars charged for minutes since midnight UTC."""
        return from_cents(self.today["charged"])

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The head of their table: label and kind of each column."""
        return [("Day", ""), *((line.label, "numeric") for line in self.lines)]


def of_day(day: date) -> dict[str, int]:
    """The figures of ``day`` (UTC), counted now; one statement, each part by an index."""
    row = db.session.execute(_COUNTED, {"since": day_start(day), "until": day_start(day + DAY)}).one()
    return {name: int(getattr(row, name)) for name in FIGURES}


def count_day(day: date, now: datetime) -> bool:
    """Count ``day`` and keep it; whether it came to something else than was kept. Raises nothing of its own."""
    counted = of_day(day)
    kept = kept_days(day, day).get(day)
    values = {**counted, "counted_at": now}
    db.session.execute(
        upsert(DailyFigures)
        .values(day=day, **values)
        .on_conflict_do_update(index_elements=["day"], set_=values)
    )
    return kept is not None and kept != counted


def kept_days(first: date, last: date) -> dict[date, dict[str, int]]:
    """What is kept of the days from ``first`` to ``last``, both included; one statement."""
    columns = [getattr(DailyFigures, name) for name in FIGURES]
    rows = db.session.execute(select(DailyFigures.day, *columns).where(DailyFigures.day.between(first, last)))
    return {row.day: {name: int(getattr(row, name)) for name in FIGURES} for row in rows}


def differing(days: Sequence[date]) -> list[str]:
    """Those of ``days`` whose kept figures are not what the rows come to now."""
    if not days:
        return []
    kept = kept_days(min(days), max(days))
    return [day.isoformat() for day in days if day in kept and kept[day] != of_day(day)]


def due_days(now: datetime, back: int = 0) -> list[date]:
    """Whole days that are to be counted at ``now``: the unsettled, those that are missing of two windows, and all of the
    last ``back``. The newest first."""
    today = now.astimezone(UTC).date()
    window = [today - number * DAY for number in range(1, max(2 * SHOWN, back) + 1)]
    kept = kept_days(window[-1], window[0])
    settled = max(UNSETTLED, back)
    return [day for number, day in enumerate(window) if number < settled or day not in kept]


def trends(now: datetime) -> Trends:
    """The last SHOWN days and the present one; two statements."""
    today = now.astimezone(UTC).date()
    kept = kept_days(today - 2 * SHOWN * DAY, today - DAY)
    current = of_day(today)
    nothing = dict.fromkeys(FIGURES, 0)
    days = tuple(today - number * DAY for number in range(SHOWN, -1, -1))
    shown = [kept.get(day, nothing) for day in days[:-1]]
    earlier = [kept.get(day - SHOWN * DAY, nothing) for day in days[:-1]]
    lines = tuple(
        _trend(name, label, kind, shown, earlier, current)
        for name, label, kind in (
            ("revenue", "SoulSeer’s part of minutes", "money"),
            ("sessions", "Readings", "number"),
            ("minutes", "Minutes", "number"),
            ("sign_ups", "Sign-ups", "number"),
            ("refunded", "Refunded", "money"),
            ("dropped", "Drop rate", "rate"),
        )
    )
    return Trends(days, current, lines, sum(day not in kept for day in days[:-1]))


def _trend(
    name: str,
    label: str,
    kind: str,
    shown: Sequence[dict[str, int]],
    earlier: Sequence[dict[str, int]],
    current: dict[str, int],
) -> Trend:
    if kind == "rate":
        values = tuple(_rate([day]) for day in (*shown, current))
        return Trend(name, label, kind, values, _rate(shown), _rate(earlier))
    as_shown: Callable[[int], Any] = from_cents if kind == "money" else int
    values = tuple(as_shown(day[name]) for day in (*shown, current))
    return Trend(name, label, kind, values, sum(values[:-1]), sum(as_shown(day[name]) for day in earlier))


def _rate(days: Sequence[dict[str, int]]) -> Decimal | None:
    """Per cent of the readings in which somebody dropped; None without readings."""
    sessions = sum(day["sessions"] for day in days)
    dropped = sum(day["dropped"] for day in days)
    return round(Decimal(100 * dropped) / sessions, 1) if sessions else None
