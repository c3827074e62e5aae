"""One wrapper for every run of a job: app context, clock, run history, log (design §5)."""

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.jobs.context import ERROR, JobContext
from soulseer.jobs.schedule import JOBS, ScheduledJob
from soulseer.models.operations import JobRun
from soulseer.services import job_pauses

log = structlog.get_logger(__name__)
LONGEST_LIST = 100


class UnknownJob(LookupError):
    """No job of that name is on the schedule."""


class RunFailed(RuntimeError):
    """The run is over and its row says what failed; ``counts`` is what it did before."""

    def __init__(self, message: str, counts: dict[str, Any]) -> None:
        super().__init__(message)
        self.counts = counts


@dataclass(frozen=True)
class Request:
    """What to run: ``slot`` for a run of the schedule, ``triggered_by`` and ``reason`` for one asked for by staff."""

    job: str
    slot: str | None = None
    arguments: Mapping[str, str] | None = None
    triggered_by: int | None = None
    reason: str | None = None
    dry_run: bool = False
    assume_present: bool = False
    now: datetime | None = None


def run_queued(**request: Any) -> dict[str, Any] | None:
    """What the worker calls: run the job in an application context of its own; None where it is paused, unless a member of
    staff asked for this run."""
    with current_app._get_current_object().app_context():  # type: ignore[attr-defined]
        asked = Request(**request)
        pause = None if asked.triggered_by else job_pauses.of_job(asked.job, clock.now())
        if pause is not None:
            log.info("job_is_paused", job=asked.job, until=pause.until.isoformat(), slot=asked.slot)
            return None
        return run(asked)


def run(request: Request) -> dict[str, Any] | None:
    """Run one job in this process; gives its counts, None where its slot was run already.

    Raises UnknownJob, JobArgumentError, RunFailed.
    """
    job = JOBS.get(request.job)
    if job is None:
        raise UnknownJob(f"no job {request.job!r}; there are: {', '.join(sorted(JOBS))}")
    run_id = _begin(job, request)
    if run_id is None:
        return None
    structlog.contextvars.bind_contextvars(job=job.name, run=run_id)
    started = time.monotonic()
    try:
        with clock.set_to(request.now):
            counts = job.run(
                JobContext(
                    now=clock.now(),
                    run_id=run_id,
                    dry_run=request.dry_run,
                    assume_present=request.assume_present,
                    arguments=dict(request.arguments or {}),
                )
            )
    except BaseException as error:
        db.session.rollback()
        _finish(run_id, "failed", {}, "".join(traceback.format_exception(error))[-8000:])
        log.exception("job_failed", seconds=round(time.monotonic() - started, 3))
        raise
    else:
        failed = int(counts.get(ERROR, 0) or 0)
        outcome, error_text = (
            ("failed", f"{failed} could not be done; the log tells which") if failed else ("succeeded", None)
        )
        _finish(run_id, outcome, counts, error_text)
        log.info(
            "job_done", outcome=outcome, seconds=round(time.monotonic() - started, 3), counts=_short(counts)
        )
        if failed:
            raise RunFailed(f"{job.name}: {error_text}", counts)
        return counts
    finally:
        structlog.contextvars.unbind_contextvars("job", "run")


def _begin(job: ScheduledJob, request: Request) -> int | None:
    """Write the row of this run; None where the slot has one already."""
    with transaction():
        return db.session.scalar(
            upsert(JobRun)
            .values(
                job=job.name,
                slot=request.slot,
                triggered_by=request.triggered_by,
                reason=request.reason,
                arguments=dict(request.arguments or {}),
                dry_run=request.dry_run,
                started_at=datetime.now(UTC),
                outcome="running",
                counts={},
            )
            .on_conflict_do_nothing()
            .returning(JobRun.id)
        )


def _finish(run_id: int, outcome: str, counts: dict[str, Any], error: str | None) -> None:
    with transaction():
        db.session.execute(
            update(JobRun)
            .where(JobRun.id == run_id, JobRun.outcome == "running")
            .values(outcome=outcome, counts=_short(counts), error=error, finished_at=datetime.now(UTC))
        )


def _short(counts: dict[str, Any]) -> dict[str, Any]:
    """Counts as kept: long lists are cut, with their length told."""
    kept: dict[str, Any] = {}
    for name, value in counts.items():
        if isinstance(value, list) and len(value) > LONGEST_LIST:
            kept[name] = value[:LONGEST_LIST]
            kept[f"{name}_in_all"] = len(value)
        else:
            kept[name] = value
    return kept
