"""Slots of the schedule that should have run and did not: what the schedule names, less what job_run holds and what staff paused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import array

from soulseer.db import db
from soulseer.domain.schedule import PLANS, JobPlan, slot_at, slot_name, slot_of
from soulseer.models.operations import JobRun
from soulseer.models.switches import JobPause

WITHIN = timedelta(hours=24)
# Slots of the schedule begin with a digit, those that staff asked for with a letter.
_OF_SCHEDULE = JobRun.slot < "a"


@dataclass(frozen=True)
class Span:
    """``count`` slots in a row, from ``first`` to ``last`` (UTC), that nobody ran."""

    first: datetime
    last: datetime
    count: int


def counts(now: datetime) -> dict[str, int]:
    """How many slots each job missed within WITHIN of ``now``, from its first run ever on; two statements, and three more for each
    job that was paused."""
    names = func.unnest(array([plan.name for plan in PLANS])).table_valued("name").render_derived()
    of_job = select(JobRun).where(JobRun.job == names.c.name, _OF_SCHEDULE).correlate(names)
    # Each of these slots began within WITHIN, as those that are wanted.
    since = slot_name(now - WITHIN)
    rows = db.session.execute(
        select(
            names.c.name,
            of_job.with_only_columns(func.min(JobRun.slot)).scalar_subquery().label("first"),
            of_job.with_only_columns(func.max(JobRun.slot)).scalar_subquery().label("newest"),
            of_job.with_only_columns(func.count()).where(JobRun.slot >= since).scalar_subquery().label("ran"),
        ).select_from(names)
    )
    found = {row.name: row for row in rows}
    pauses = _pauses(now)
    missed = {}
    for plan in PLANS:
        row = found[plan.name]
        began = slot_of(row.first)
        if any(one.job == plan.name for one in pauses):
            # Slots of a pause may have run before it was made, by a clock that is behind: each by its name.
            missed[plan.name] = sum(span.count for span in spans(plan, now))
            continue
        wanted = 0 if began is None else len(_wanted(plan, began, now, pauses))
        # The present slot is not wanted yet; where it has run, it makes up for none.
        present = row.newest is not None and row.newest >= slot_name(slot_at(plan, now))
        missed[plan.name] = max(0, wanted - (row.ran - present))
    return missed


def spans(plan: JobPlan, now: datetime) -> list[Span]:
    """The slots that ``plan`` missed within WITHIN of ``now``, those in a row together, newest first; three statements."""
    first = db.session.scalar(select(func.min(JobRun.slot)).where(JobRun.job == plan.name, _OF_SCHEDULE))
    began = slot_of(first)
    if began is None:
        return []
    ran = set(
        db.session.scalars(
            select(JobRun.slot).where(
                JobRun.job == plan.name, _OF_SCHEDULE, JobRun.slot >= slot_name(now - WITHIN)
            )
        )
    )
    step = timedelta(seconds=plan.seconds())
    found: list[Span] = []
    for slot in _wanted(plan, began, now, _pauses(now)):
        if slot_name(slot) in ran:
            continue
        last = found[-1] if found else None
        if last is not None and slot - last.last == step:
            found[-1] = Span(last.first, slot, last.count + 1)
        else:
            found.append(Span(slot, slot, 1))
    return found[::-1]


def _pauses(now: datetime) -> Sequence[JobPause]:
    return db.session.scalars(
        select(JobPause).where(
            JobPause.until > now - WITHIN,
            or_(JobPause.lifted_at.is_(None), JobPause.lifted_at > now - WITHIN),
        )
    ).all()


def _wanted(plan: JobPlan, began: datetime, now: datetime, pauses: Sequence[JobPause]) -> list[datetime]:
    """The slots within WITHIN that are over, from ``began`` on, but those of a pause."""
    step = timedelta(seconds=plan.seconds())
    rests = [
        (one.begins_at, min(one.until, one.lifted_at or one.until)) for one in pauses if one.job == plan.name
    ]
    slot = max(began, slot_at(plan, now - WITHIN) + step)
    found = []
    while slot + step <= now:
        if not any(begins <= slot < ends for begins, ends in rests):
            found.append(slot)
        slot += step
    return found
