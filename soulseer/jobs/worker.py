"""The worker process: RQ's SimpleWorker, which runs jobs in this process (five times as many a second as forking;
a worker that dies is started again, and what it had begun is due still)."""

from rq import SimpleWorker

from soulseer import gateways
from soulseer.jobs.schedule import QUEUES


def run(*, burst: bool = False) -> None:
    """Block until SIGTERM or SIGINT (``burst``: until the queues are empty)."""
    queue = gateways.current().queue
    worker = SimpleWorker([queue.queue(name) for name in QUEUES], connection=queue.redis)
    worker.work(burst=burst, with_scheduler=False, logging_level="WARNING")
