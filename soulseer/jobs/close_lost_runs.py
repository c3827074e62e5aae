"""Says of runs whose worker was killed that they are over, so that nobody waits for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from soulseer.db import db, transaction
from soulseer.jobs.context import JobContext
from soulseer.models.operations import JobRun

# Longer than any job may take.
LOST_AFTER = timedelta(minutes=20)


def run(context: JobContext) -> dict[str, Any]:
    """Mark runs that began too long ago (by the real clock) as failed."""
    now = datetime.now(UTC)
    lost = (
        JobRun.outcome == "running",
        JobRun.started_at < now - LOST_AFTER,
        JobRun.id != context.run_id,
    )
    if context.dry_run:
        return {"dry_run": True, "runs": list(db.session.scalars(select(JobRun.id).where(*lost)))}
    with transaction():
        closed = db.session.scalars(
            update(JobRun)
            .where(*lost)
            .values(outcome="failed", finished_at=now, error="the worker ended before the run did")
            .returning(JobRun.id)
        ).all()
    return {"closed": len(closed)}
