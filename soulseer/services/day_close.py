"""Closing days: once finance has closed a day (UTC), the database takes no movement in it or before it any more.

A day may be closed an hour after its end, in order, when no difference of it or before is open: each has been mended,
has gone, was explained by a person, or is a matter of timing only, which mends itself on a later day.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text

from soulseer.db import db
from soulseer.domain.errors import Conflict, InvalidInput
from soulseer.domain.money import from_cents
from soulseer.models.reconciliation import ClosedDay, ReconciliationDifference, ReconciliationRun
from soulseer.services import audit
from soulseer.services.console import day_start

# What the guard's functions in the database share while they write, and a close takes alone (migration 0014).
LOCK_KEY = 5495822
SETTLES = timedelta(hours=1)
# So many days are closed at a time at most: each is summed while movements wait.
MOST_DAYS = 31
ONE = timedelta(days=1)

_SUMS = text("""
SELECT t.kind, count(DISTINCT t.id) AS movements, coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0)::bigint AS cents
FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
WHERE t.created_at >= :begin AND t.created_at < :end GROUP BY t.kind
UNION ALL
SELECT 'reading_minute', count(*), coalesce(sum(amount), 0) FROM reading_minute
WHERE charged_at >= :begin AND charged_at < :end HAVING count(*) > 0
ORDER BY 1
""")
_FIRST = text("""
SELECT least((SELECT min(created_at) FROM ledger_transaction), (SELECT min(charged_at) FROM reading_minute))
""")


@dataclass(frozen=True)
class Standing:
    """What may be closed: ``first`` is the first open day, ``last`` the last that is over (None: nothing to close);
    ``hindrances`` say in words why the days to ``last`` may not be closed yet, each with the day that it is about."""

    first: date | None
    last: date | None
    hindrances: tuple[tuple[date, str], ...] = ()

    def closable(self) -> date | None:
        """The last day that may be closed now."""
        if self.first is None or self.last is None:
            return None
        until = min((day - ONE for day, _ in self.hindrances), default=self.last)
        until = min(until, self.last, self.first + (MOST_DAYS - 1) * ONE)
        return until if until >= self.first else None


def sums(day: date) -> dict[str, dict[str, Any]]:
    """What was moved on ``day``, by kind of movement: how many, and dollars as a string."""
    found = db.session.execute(_SUMS, {"begin": day_start(day), "end": day_start(day + ONE)})
    return {kind: {"count": count, "amount": str(from_cents(int(cents)))} for kind, count, cents in found}


def standing(now: datetime) -> Standing:
    """Which days wait to be closed, and what hinders it. Three statements."""
    closed = db.session.scalar(select(func.max(ClosedDay.day)))
    last = (now.astimezone(UTC) - SETTLES).date() - ONE
    if closed is None:
        begun = db.session.execute(_FIRST).scalar()
        first = None if begun is None else begun.astimezone(UTC).date()
    else:
        first = closed + ONE
    if first is None or first > last:
        return Standing(first, None)
    return Standing(first, last, tuple(_hindrances(first, last)))


def _hindrances(first: date, last: date) -> list[tuple[date, str]]:
    row = ReconciliationDifference
    compared = db.session.scalar(select(func.max(ReconciliationRun.at)))
    if compared is None:
        return [(first, "The books were never compared with Stripe's list: run the job reconcile.")]
    found = []
    # A comparison says something of the days before it only.
    through = compared.astimezone(UTC).date() - ONE
    if through < last:
        found.append(
            (
                max(through + ONE, first),
                f"The last comparison with Stripe's list was at {compared:%Y-%m-%d %H:%M} UTC.",
            )
        )
    open_days = db.session.execute(
        select(row.day, func.count())
        .where(row.state == "open", row.day <= last, row.difference_class != "timing")
        .group_by(row.day)
        .order_by(row.day)
    )
    for day, count in open_days:
        words = f"{count} {'difference is' if count == 1 else 'differences are'} open on {day}."
        found.append((max(day, first), words))
    return found


def close(through: date, actor_id: int, reason: str, now: datetime) -> list[date]:
    """Close every open day up to ``through``: the days that were closed. It cannot be undone.

    Raises InvalidInput where the day is not over or has nothing before it, Conflict where something hinders it.
    """
    # Waits for every movement under way, and holds those that come until this is committed.
    db.session.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))
    now_standing = standing(now)
    first, last = now_standing.first, now_standing.last
    if first is None or last is None or through > last:
        raise InvalidInput(
            "day", "A day can be closed an hour after its end (UTC), once something was moved."
        )
    if through < first:
        raise Conflict(f"{through} is closed already.")
    hindrance = next((words for day, words in now_standing.hindrances if day <= through), None)
    if hindrance is not None:
        raise Conflict(f"{through} cannot be closed yet. {hindrance}")
    count = (through - first) // ONE + 1
    if count > MOST_DAYS:
        raise InvalidInput("day", f"At most {MOST_DAYS} days at a time.")
    days = [first + number * ONE for number in range(count)]
    for day in days:
        db.session.add(
            ClosedDay(
                day=day,
                closed_at=now,
                closed_by=actor_id,
                reason=reason,
                sums=sums(day),
                explained=_explained(day),
            )
        )
    audit.record(
        "day.closed",
        "closed_day",
        through.isoformat(),
        now,
        actor_id=actor_id,
        reason=reason,
        details={"from": days[0].isoformat(), "days": len(days)},
    )
    db.session.flush()
    return days


def _explained(day: date) -> int:
    row = ReconciliationDifference
    live = select(func.count()).where(row.day == day, row.state.in_(("open", "explained")))
    return int(db.session.scalar(live) or 0)
