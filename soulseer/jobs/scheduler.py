"""The scheduler process: enqueues each due slot while it leads; standbys wait (design §5)."""

import signal
import threading
from datetime import UTC, datetime, timedelta
from types import FrameType

import psycopg
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from redis.exceptions import RedisError

from soulseer import gateways
from soulseer.jobs.leader import Leadership
from soulseer.jobs.schedule import SCHEDULE, ScheduledJob, job_id, slot_at, slot_name

log = structlog.get_logger(__name__)


def enqueue_slot(job: ScheduledJob, leadership: Leadership) -> bool:
    """Queue the present slot of ``job``, once; False where this process does not lead, the slot is queued, or
    staff paused the job."""
    if not leadership.holds():
        return False
    slot = slot_at(job, datetime.now(UTC))
    paused_until = leadership.paused_until(job.name)
    if paused_until is not None:
        log.info("slot_left_out", job=job.name, slot=slot_name(slot), paused_until=paused_until.isoformat())
        return False
    try:
        return gateways.current().queue.enqueue(
            job.queue,
            job.name,
            job_id=job_id(job, slot),
            arguments={"slot": slot_name(slot)},
            timeout=job.timeout,
        )
    except RedisError:
        # The next slot tries again; what was due is still due in PostgreSQL.
        log.exception("slot_not_enqueued", job=job.name, slot=slot_name(slot))
        return False


class Scheduler:
    """Leads, or waits to lead, until told to stop."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._stop = threading.Event()

    def run(self) -> None:
        """Block until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ended)
        while not self._stop.is_set():
            leadership = Leadership(self._url)
            try:
                log.info("scheduler_waits")
                leadership.acquire()
                self._lead(leadership)
            except psycopg.OperationalError as error:
                log.warning("scheduler_without_database", error=str(error))
                self._stop.wait(2)
            finally:
                leadership.release()

    def _ended(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()
        # Waiting for the lock blocks in the driver: leave it by an exception.
        raise SystemExit(0)

    def _lead(self, leadership: Leadership) -> None:
        scheduler = BackgroundScheduler(timezone=UTC)
        for job in SCHEDULE:
            seconds = job.seconds()
            scheduler.add_job(
                enqueue_slot,
                IntervalTrigger(
                    seconds=seconds,
                    start_date=slot_at(job, datetime.now(UTC)) + timedelta(seconds=seconds),
                    timezone=UTC,
                ),
                args=[job, leadership],
                id=job.name,
                # A late scheduler enqueues one run; the jobs catch up by themselves.
                coalesce=True,
                misfire_grace_time=None,
                max_instances=1,
            )
        scheduler.start()
        try:
            for job in SCHEDULE:
                enqueue_slot(job, leadership)
            while leadership.holds():
                self._stop.wait(1)
        finally:
            scheduler.shutdown(wait=False)
