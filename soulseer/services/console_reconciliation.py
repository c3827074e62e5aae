"""Reconciliation for staff: differences with both their sides, runs, and the days that are closed or wait for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.people import Person
from soulseer.models.reconciliation import ClosedDay, ReconciliationDifference, ReconciliationRun
from soulseer.services import day_close, reconciliation_facts, reconciliation_mending
from soulseer.services.console import Listed, Window, listed
from soulseer.services.console_ledger import Side
from soulseer.services.day_close import Standing
from soulseer.services.reconciliation_facts import Facts

DAYS_SHOWN = 31


@dataclass(frozen=True)
class Found:
    """A difference with both sides. ``entries`` is what its proposal would book, ``previewed`` the proposal's name;
    ``approver`` and ``settler`` are handles."""

    row: ReconciliationDifference
    facts: Facts
    entries: Sequence[Side]
    previewed: str
    needs_two: bool
    approver: str | None
    settler: str | None


@dataclass(frozen=True)
class Days:
    """``closed`` newest first: (ClosedDay, the handle of who closed it); ``older`` the day to go on before."""

    standing: Standing
    closable: date | None
    closed: Sequence[Row]
    older: date | None


def differences(
    window: Window, *, state: str | None = None, kind: str | None = None, reference: str | None = None
) -> Listed:
    """Differences, newest first; ``kind`` is a class, ``reference`` whole."""
    row = ReconciliationDifference
    query = select(row.id, row)
    if state:
        query = query.where(row.state == state)
    if kind:
        query = query.where(row.difference_class == kind)
    if reference:
        query = query.where(row.reference == reference)
    return listed(query, row.id, window)


def difference(difference_id: int) -> Found:
    """One difference as it stands. Four statements. Raises NotFound."""
    approver, settler = aliased(Person), aliased(Person)
    found = db.session.execute(
        select(ReconciliationDifference, approver.handle, settler.handle)
        .outerjoin(approver, approver.id == ReconciliationDifference.approved_by)
        .outerjoin(settler, settler.id == ReconciliationDifference.settled_by)
        .where(ReconciliationDifference.id == difference_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no difference {difference_id}.")
    row = found[0]
    proposal = row.proposal or {}
    is_entry = proposal.get("action") == "entry"
    return Found(
        row,
        reconciliation_facts.sides_of(row),
        _entries(proposal["entries"]) if is_entry else (),
        reconciliation_mending.fingerprint(row.proposal),
        is_entry and reconciliation_mending.needs_two(proposal),
        found[1],
        found[2],
    )


def _entries(entries: Sequence[Mapping[str, Any]]) -> list[Side]:
    owners = {entry["owner_id"] for entry in entries} - {None}
    people = db.session.execute(select(Person.id, Person.handle).where(Person.id.in_(owners)))
    handles: dict[int | None, str] = {row.id: row.handle for row in people}
    return [
        # No account's number: it is opened with the entry where it is not there yet.
        Side(0, entry["account"], entry["owner_id"], handles.get(entry["owner_id"]), Decimal(entry["amount"]))
        for entry in entries
    ]


def runs(window: Window) -> Listed:
    """Comparisons with Stripe's list, newest first."""
    return listed(select(ReconciliationRun.id, ReconciliationRun), ReconciliationRun.id, window)


def run(run_id: int) -> ReconciliationRun:
    """One comparison. Raises NotFound."""
    found = db.session.get(ReconciliationRun, run_id)
    if found is None:
        raise NotFound(f"There is no reconciliation {run_id}.")
    return found


def days(now: datetime, before: date | None = None) -> Days:
    """Closed days, newest first, and what may be closed next."""
    query = select(ClosedDay, Person.handle).join(Person, Person.id == ClosedDay.closed_by)
    if before is not None:
        query = query.where(ClosedDay.day < before)
    rows = db.session.execute(query.order_by(ClosedDay.day.desc()).limit(DAYS_SHOWN + 1)).all()
    standing = day_close.standing(now)
    shown = rows[:DAYS_SHOWN]
    return Days(standing, standing.closable(), shown, shown[-1][0].day if len(rows) > DAYS_SHOWN else None)
