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

    def first_to_ask(self, what: str, seconds: int) -> bool:
        """Whether nobody has asked for ``what`` since it was last taken up; forgotten after ``seconds``.

        For work that one run does for many who ask: only the first of them need enqueue it.
        """
        return bool(self.redis.set(f"asked:{what}", 1, nx=True, ex=seconds))

    def take_up(self, what: str) -> None:
        """``what`` was asked for and is begun: whoever asks from now on asks for the next run."""
        self.redis.delete(f"asked:{what}")

    def lengths(self, names: Iterable[str]) -> dict[str, int]:
        """How many jobs wait in each queue. Raises QueueUnavailable."""
        try:
            return {name: self.queue(name).count for name in names}
        except RedisError as error:
            raise QueueUnavailable from error

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
