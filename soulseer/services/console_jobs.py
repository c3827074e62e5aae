"""Jobs for staff: runs, one run, and what became of a run that was asked for."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, select

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.domain.schedule import PLAN_BY_NAME, JobPlan
from soulseer.models.ledger import ReadingMinute
from soulseer.models.operations import AuditEntry, JobRun
from soulseer.models.people import Person
from soulseer.services.console import Listed, Window, listed

REQUEST = "job_request"


@dataclass(frozen=True)
class RunRequest:
    """A run that a member of staff asked for; ``run`` is None until a worker has begun it."""

    key: uuid.UUID
    job: str
    dry_run: bool
    arguments: dict[str, str]
    reason: str
    asked_at: datetime
    asked_by: str | None
    run: JobRun | None


def plan(name: str) -> JobPlan:
    """The job of the schedule. Raises NotFound."""
    try:
        return PLAN_BY_NAME[name]
    except KeyError:
        raise NotFound(f"There is no job {name}.") from None


def slot_of_request(key: uuid.UUID) -> str:
    """The slot under which a run that staff asked for is recorded: the database takes each once."""
    return f"asked-{key}"


def _runs() -> Select:
    return select(JobRun.id, JobRun, Person.handle.label("asked_by")).outerjoin(
        Person, Person.id == JobRun.triggered_by
    )


def runs(
    window: Window, *, job: str | None = None, outcome: str | None = None, asked: str | None = None
) -> Listed:
    """Runs of jobs, newest first. ``asked``: ``staff`` or ``schedule``."""
    query = _runs()
    if job:
        query = query.where(JobRun.job == job)
    if outcome:
        query = query.where(JobRun.outcome == outcome)
    if asked:
        by_staff = JobRun.triggered_by.isnot(None)
        query = query.where(by_staff if asked == "staff" else ~by_staff)
    return listed(query, JobRun.id, window)


def run(run_id: int) -> Row:
    """One run: ``JobRun``, ``asked_by``. Raises NotFound."""
    found = db.session.execute(_runs().where(JobRun.id == run_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no run {run_id}.")
    return found


def request(key: uuid.UUID) -> RunRequest:
    """What staff asked for under ``key``, and its run; two statements. Raises NotFound."""
    row = db.session.execute(
        select(AuditEntry, Person.handle)
        .outerjoin(Person, Person.id == AuditEntry.actor_id)
        .where(AuditEntry.object_type == REQUEST, AuditEntry.object_id == str(key))
    ).one_or_none()
    if row is None:
        raise NotFound("Nobody asked for this run.")
    asked, handle = row
    details = asked.details
    made = db.session.scalar(
        select(JobRun)
        .where(JobRun.job == details["job"], JobRun.slot == slot_of_request(key))
        .execution_options(populate_existing=True)
    )
    return RunRequest(
        key, details["job"], details["dry_run"], details["arguments"], asked.reason, asked.at, handle, made
    )


def was_asked(key: uuid.UUID) -> bool:
    """Whether a run was asked for under ``key``."""
    asked = select(AuditEntry.id).where(AuditEntry.object_type == REQUEST, AuditEntry.object_id == str(key))
    return db.session.scalar(asked) is not None


def charges_of(run_id: int, started_at: datetime, limit: int) -> list[ReadingMinute]:
    """The first ``limit`` minutes that a run charged; those of a day are found by their index."""
    return list(
        db.session.scalars(
            select(ReadingMinute)
            .where(ReadingMinute.job_run_id == run_id, ReadingMinute.charged_at >= started_at)
            .order_by(ReadingMinute.reading_session_id, ReadingMinute.minute)
            .limit(limit)
        )
    )
