"""The schedule is data: name, interval, queue, job (design §5)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from soulseer.domain import policies
from soulseer.jobs import billing_tick, close_lost_runs, expire_grace_periods, process_stripe_webhook, session_finalize
from soulseer.jobs.context import Job

QUEUES = ("billing", "sessions", "payments")


@dataclass(frozen=True)
class ScheduledJob:
    """``seconds`` gives the interval; ``supports_dry_run`` that ``--dry-run`` tells what would be done."""

    name: str
    seconds: Callable[[], int]
    queue: str
    run: Job
    purpose: str
    supports_dry_run: bool = False
    timeout: int = 600


SCHEDULE: tuple[ScheduledJob, ...] = (
    ScheduledJob(
        "billing_tick",
        lambda: policies.current().billing_tick_seconds,
        "billing",
        billing_tick.run,
        "Charges every minute that is due, and books silence and low balance.",
        supports_dry_run=True,
    ),
    ScheduledJob(
        "expire_grace_periods",
        lambda: 30,
        "sessions",
        expire_grace_periods.run,
        "Ends rings and graces that are over, and pauses sessions whose participants fell silent.",
        supports_dry_run=True,
    ),
    ScheduledJob(
        "session_finalize",
        lambda: 60,
        "sessions",
        session_finalize.run,
        "Checks ended sessions against the ledger and writes their receipts.",
        supports_dry_run=True,
    ),
    ScheduledJob(
        "process_stripe_webhook",
        lambda: 30,
        "payments",
        process_stripe_webhook.run,
        "Acts on stored Stripe events and resumes top-ups that were interrupted.",
    ),
    ScheduledJob(
        "close_lost_runs",
        lambda: 300,
        "sessions",
        close_lost_runs.run,
        "Says of runs whose worker was killed that they are over.",
    ),
)

JOBS = {job.name: job for job in SCHEDULE}


def slot_at(job: ScheduledJob, instant: datetime) -> datetime:
    """The slot that ``instant`` falls in: slots are whole multiples of the interval since 1970, so that every
    scheduler names the same ones."""
    seconds = job.seconds()
    return datetime.fromtimestamp(int(instant.timestamp()) // seconds * seconds, UTC)


def slot_name(slot: datetime) -> str:
    """As it stands in ids: letters and digits only."""
    return slot.strftime("%Y%m%dT%H%M%SZ")


def job_id(job: ScheduledJob, slot: datetime) -> str:
    """The id under which a slot is queued: two leaders in a split second cannot queue it twice."""
    return f"{job.name}-{slot_name(slot)}"
