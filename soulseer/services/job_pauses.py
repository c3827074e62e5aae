"""Pauses of jobs: runs that nobody asked for by hand are left out until an instant."""

from datetime import datetime, timedelta

from sqlalchemy import Select, select, text

from soulseer.db import db
from soulseer.domain.errors import Conflict, InvalidInput
from soulseer.domain.schedule import JobPlan
from soulseer.models.switches import JobPause
from soulseer.services import audit, board

LONGEST = timedelta(days=30)


def of_job(job: str, now: datetime) -> JobPause | None:
    """The pause that stands for ``job`` at ``now`` (UTC); one statement."""
    return db.session.scalars(_standing(now).where(JobPause.job == job)).one_or_none()


def standing(now: datetime) -> dict[str, JobPause]:
    """All pauses that stand at ``now``, by job; one statement."""
    return {pause.job: pause for pause in db.session.scalars(_standing(now))}


def _standing(now: datetime) -> Select[JobPause]:
    return (
        select(JobPause)
        .where(JobPause.lifted_at.is_(None), JobPause.until > now)
        .execution_options(populate_existing=True)
    )


def pause(plan: JobPlan, until: datetime, actor_id: int, reason: str, now: datetime) -> JobPause:
    """Leave out the runs of ``plan`` until ``until`` (UTC, at most LONGEST ahead). Raises InvalidInput, Conflict."""
    if not now < until <= now + LONGEST:
        raise InvalidInput("until", f"Choose an instant to come, at most {LONGEST.days} days ahead.")
    _one_at_a_time(plan)
    before = db.session.scalars(
        select(JobPause).where(JobPause.job == plan.name, JobPause.lifted_at.is_(None))
    ).one_or_none()
    if before is not None and before.until > now:
        raise Conflict(f"{plan.name} is paused already.")
    if before is not None:
        before.lifted_at = before.until
        db.session.flush()
    made = JobPause(job=plan.name, begins_at=now, until=until, paused_by=actor_id, reason=reason)
    db.session.add(made)
    db.session.flush()
    details = {"until": until.isoformat()}
    audit.record("job.paused", "job", plan.name, now, actor_id=actor_id, reason=reason, details=details)
    board.show(now)
    return made


def resume(plan: JobPlan, actor_id: int, reason: str, now: datetime) -> None:
    """Let ``plan`` run again before its pause is over. Raises Conflict where none stands."""
    _one_at_a_time(plan)
    found = of_job(plan.name, now)
    if found is None:
        raise Conflict(f"{plan.name} is not paused.")
    found.lifted_at, found.lifted_by = now, actor_id
    db.session.flush()
    details = {"was_until": found.until.isoformat()}
    audit.record("job.resumed", "job", plan.name, now, actor_id=actor_id, reason=reason, details=details)
    board.show(now)


def _one_at_a_time(plan: JobPlan) -> None:
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"pause {plan.name}"})
