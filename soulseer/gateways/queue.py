"""RQ: hands work to the workers. Losing what is queued loses nothing: sweeps find what is due in PostgreSQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import DuplicateJobError

from soulseer.domain.errors import QueueUnavailable

RUNNER = "soulseer.jobs.runner.run_queued"
# The argument of a run that was asked for by ``wake``.
WOKEN = "woken"
# Should such a run get lost with Redis, the next one who asks is the first again after so many seconds.
WAKE_SECONDS = 30


@dataclass(frozen=True)
class WorkerState:
    """``busy``: whether it runs a job now. ``last_seen``: its last heartbeat, UTC."""

    name: str
    queues: tuple[str, ...]
    busy: bool
    last_seen: datetime | None


class QueueGateway:
    """Enqueues jobs by name. Times are seconds."""

    def __init__(self, url: str) -> None:
        self.redis: Redis = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=None)

    def queue(self, name: str) -> Queue:
        return Queue(name, connection=self.redis)

    def enqueue(
        self,
        queue: str,
        job: str,
        *,
        job_id: str,
        arguments: Mapping[str, Any] | None = None,
        timeout: int = 600,
    ) -> bool:
        """Put ``job`` on ``queue`` under ``job_id``; False if that id is queued or running already.

        ``job_id`` holds letters, digits, ``_`` and ``-`` only. Finished and failed jobs expire soon, since
        ``job_run`` keeps the history and a kept id would refuse a later run.
        """
        try:
            self.queue(queue).enqueue(
                RUNNER,
                kwargs={"job": job, **(arguments or {})},
                job_id=job_id,
                unique=True,
                job_timeout=timeout,
                result_ttl=60,
                failure_ttl=60,
            )
        except DuplicateJobError:
            return False
        return True

    def wake(self, queue: str, job: str, name: object) -> None:
        """Have a run of ``job`` begin now, queued under ``name``: for jobs whose one run acts on all that is due.

        Only the first who asks since the last such run has begun (``take_up``) puts one on the queue.
        """
        if self.redis.set(f"asked:{job}", 1, nx=True, ex=WAKE_SECONDS):
            self.enqueue(queue, job, job_id=f"{job}-{name}", arguments={"arguments": {WOKEN: "1"}})

    def take_up(self, job: str) -> None:
        """A run that ``wake`` asked for begins: whoever asks from now on asks for the next one."""
        self.redis.delete(f"asked:{job}")

    def lengths(self, names: Iterable[str]) -> dict[str, int]:
        """How many jobs wait in each queue. Raises QueueUnavailable."""
        try:
            return {name: self.queue(name).count for name in names}
        except RedisError as error:
            raise QueueUnavailable from error

    def oldest(self, names: Iterable[str]) -> dict[str, datetime | None]:
        """Since when the first in each queue waits (UTC), None where it is empty. Raises QueueUnavailable."""
        try:
            heads = {name: next(iter(self.queue(name).get_jobs(0, 1)), None) for name in names}
        except RedisError as error:
            raise QueueUnavailable from error
        return {
            name: head.enqueued_at.replace(tzinfo=UTC) if head is not None and head.enqueued_at else None
            for name, head in heads.items()
        }

    def workers(self) -> list[WorkerState]:
        """The workers that are registered. Raises QueueUnavailable."""
        try:
            return [
                WorkerState(
                    name=worker.name,
                    queues=tuple(worker.queue_names()),
                    busy=worker.get_state() == "busy",
                    last_seen=worker.last_heartbeat and worker.last_heartbeat.replace(tzinfo=UTC),
                )
                for worker in Worker.all(connection=self.redis)
            ]
        except RedisError as error:
            raise QueueUnavailable from error
