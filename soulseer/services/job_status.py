"""What ``flask jobs list``, the doctor and the console tell: last run of each job, and who leads."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, func, select, text, union_all
from sqlalchemy.dialects.postgresql import array

from soulseer.db import db
from soulseer.domain.schedule import LEADER_LOCK_KEY, PLANS, JobPlan, slot_of
from soulseer.models.operations import JobRun

# bigint: pg_advisory_lock(bigint) keeps the key's halves in classid and objid.
_LEADER = text(
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'advisory' AND l.granted "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (l.classid::bigint << 32 | l.objid::bigint) = :key"
).bindparams(bindparam("key", type_=BigInteger))


@dataclass(frozen=True)
class JobStatus:
    """``last_run`` is the newest, whoever asked; ``last_slot`` the newest of the schedule."""

    job: JobPlan
    last_run: JobRun | None
    last_slot: JobRun | None = None


def statuses() -> list[JobStatus]:
    """Every job of the schedule with its newest runs; one statement, an index look-up or two for each job."""
    names = func.unnest(array([plan.name for plan in PLANS])).table_valued("name").render_derived()
    of_job = select(JobRun.id).where(JobRun.job == names.c.name).limit(1).correlate(names)
    newest = select(of_job.order_by(JobRun.id.desc()).scalar_subquery()).select_from(names)
    # Slots of the schedule begin with a digit, those that staff asked for with a letter.
    of_schedule = of_job.where(JobRun.slot < "a").order_by(JobRun.slot.desc())
    newest_slot = select(of_schedule.scalar_subquery()).select_from(names)
    runs = db.session.scalars(
        select(JobRun).where(JobRun.id.in_(union_all(newest, newest_slot))).order_by(JobRun.id)
    ).all()
    last_run = {run.job: run for run in runs}
    last_slot = {run.job: run for run in runs if slot_of(run.slot)}
    return [JobStatus(plan, last_run.get(plan.name), last_slot.get(plan.name)) for plan in PLANS]


def leader() -> str | None:
    """Host and process of the scheduler that leads, None while there is none."""
    name = db.session.scalar(_LEADER, {"key": LEADER_LOCK_KEY})
    return None if name is None else str(name).removeprefix("soulseer-scheduler ")
