"""What every list of the back office shares: pages by place in id order, so that a million rows cost what twenty do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from soulseer.db import db
from soulseer.models.people import Person

Row = TypeVar("Row")
LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Window:
    """Which part of a list: ``limit`` rows older than ``before``, or newer than ``after``; the newest without both."""

    limit: int = 20
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Listed:
    """Rows newest first. ``older`` and ``newer`` are the ids to go on from; None where there is nothing more."""

    rows: Sequence[Any]
    older: int | None = None
    newer: int | None = None


def listed(query: Select, key: InstrumentedAttribute[int], window: Window) -> Listed:
    """The window of ``query``, whose first column is ``key``, in the order of ``key``. One statement, no count."""
    forward = window.after is not None
    if forward:
        query = query.where(key > window.after).order_by(key.asc())
    else:
        query = query.where(key < (window.before or LARGEST)).order_by(key.desc())
    found = db.session.execute(query.limit(window.limit + 1)).all()
    more, rows = len(found) > window.limit, found[: window.limit]
    if forward:
        rows = rows[::-1]
    if not rows:
        return Listed((), newer=None if forward or window.before is None else window.before - 1)
    first, last = rows[0][0], rows[-1][0]
    return Listed(
        rows,
        older=last if forward or more else None,
        newer=first if (more if forward else window.before is not None) else None,
    )


def named(text: str) -> ColumnElement[bool]:
    """The people called ``text``: a handle or an email address, whole, whatever its case; or their number."""
    wanted = text.strip().lower()
    found = or_(func.lower(Person.handle) == wanted, func.lower(Person.email) == wanted)
    if wanted.isascii() and wanted.isdigit() and int(wanted) <= LARGEST:
        found = or_(found, Person.id == int(wanted))
    return found


def people_named(text: str) -> list[int]:
    """The ids of the people called ``text``; one statement. Asked beforehand, so that the lists that are narrowed by
    them go by their own indexes."""
    return list(db.session.scalars(select(Person.id).where(named(text)).limit(100)))


def day_start(day: date) -> datetime:
    """Midnight UTC of ``day``."""
    return datetime.combine(day, time(), UTC)


def on_days(column: Any, since: date | None, until: date | None) -> list[ColumnElement[bool]]:
    """Conditions that ``column`` lies on the days from ``since`` to ``until``, both included, UTC."""
    conditions = []
    if since is not None:
        conditions.append(column >= day_start(since))
    if until is not None:
        conditions.append(
            column < day_start(until) + timedelta(days=1) if until < date.max else column.isnot(None)
        )
    return conditions
