"""What ``flask jobs list`` and the console tell: last run of each job, and who leads."""

from dataclasses import dataclass

from sqlalchemy import select, text

from soulseer.db import db
from soulseer.jobs.leader import LOCK_KEY
from soulseer.jobs.schedule import SCHEDULE, ScheduledJob
from soulseer.models.operations import JobRun


@dataclass(frozen=True)
class JobStatus:
    job: ScheduledJob
    last_run: JobRun | None


def statuses() -> list[JobStatus]:
    """Every job of the schedule with its newest run, in two statements."""
    newest = {
        run.job: run
        for run in db.session.scalars(
            select(JobRun)
            .where(JobRun.job.in_([job.name for job in SCHEDULE]))
            .distinct(JobRun.job)
            .order_by(JobRun.job, JobRun.id.desc())
        )
    }
    return [JobStatus(job, newest.get(job.name)) for job in SCHEDULE]


def leader() -> str | None:
    """Host and process of the scheduler that leads, None while there is none."""
    name = db.session.scalar(
        text(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.granted "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND (l.classid::bigint << 32 | l.objid::bigint) = :key"
        ),
        {"key": LOCK_KEY},
    )
    return None if name is None else str(name).removeprefix("soulseer-scheduler ")
