"""What staff do with a run that failed, and what a run booked."""

import uuid
from datetime import datetime

from sqlalchemy import Row, select

from soulseer.db import db
from soulseer.domain.errors import Conflict, NotFound
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.operations import JobRun
from soulseer.services import audit, console_actions, console_jobs

BOOKED = 20


def key_of_retry(run_id: int) -> uuid.UUID:
    """The key of a retry: a failed run is run again once; should that fail too, that one is."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"soulseer:job_run:{run_id}:retry")


def retry(run_id: int, actor_id: int, reason: str, now: datetime) -> tuple[uuid.UUID, bool]:
    """Have the job run again with what the failed run was given: (key of the request, whether it is new).

    Raises NotFound, Conflict.
    """
    run = _failed(run_id)
    key = key_of_retry(run_id)
    plan = console_jobs.plan(run.job)
    new = console_actions.request_run(plan, key, run.arguments, actor_id, reason, now, dry_run=run.dry_run)
    return key, new


def discard(run_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Say of a failed run that nothing is to be done: it waits for nobody. Raises NotFound, Conflict."""
    run = _failed(run_id)
    if run.discarded_at is not None:
        raise Conflict(f"Run {run_id} was discarded before.")
    run.discarded_at, run.discarded_by = now, actor_id
    audit.record(
        "job.run_discarded",
        "job_run",
        run_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"job": run.job, "slot": run.slot or ""},
    )


def _failed(run_id: int) -> JobRun:
    run: JobRun | None = db.session.scalar(
        select(JobRun).where(JobRun.id == run_id).with_for_update().execution_options(populate_existing=True)
    )
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    if run.outcome != "failed":
        raise Conflict(f"Run {run_id} is {run.outcome}; only a failed one is run again or discarded.")
    return run


def transactions_of(run_id: int) -> list[Row]:
    """The first BOOKED ledger transactions that a run made: ``id``, ``kind``, ``created_at``."""
    return list(
        db.session.execute(
            select(LedgerTransaction.id, LedgerTransaction.kind, LedgerTransaction.created_at)
            .where(LedgerTransaction.job_run_id == run_id)
            .order_by(LedgerTransaction.id)
            .limit(BOOKED)
        )
    )
