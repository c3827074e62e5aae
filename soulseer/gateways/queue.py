"""RQ: hands work to the workers. Losing what is queued loses nothing: sweeps find what is due in PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError

RUNNER = "soulseer.jobs.runner.run_queued"


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
