"""Says of runs whose worker was killed that they are over, so that nobody waits for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from soulseer.db import db, transaction
from soulseer.jobs.context import JobContext
from soulseer.models.operations import JobRun

LOST_AFTER = timedelta(minutes=20)


def run(context: JobContext) -> dict[str, Any]:
    """Mark runs that began longer ago than any job may take (by the real clock) as failed."""
    now = datetime.now(UTC)
    with transaction():
        result = db.session.execute(
            update(JobRun)
            .where(
                JobRun.outcome == "running", JobRun.started_at < now - LOST_AFTER, JobRun.id != context.run_id
            )
            .values(outcome="failed", finished_at=now, error="the worker ended before the run did")
        )
    return {"closed": result.rowcount}  # type: ignore[attr-defined]
