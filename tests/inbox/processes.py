"""Real processes of the product: gunicorn as shipped, and a worker, on the test's own servers."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from soulseer.sandbox.places import free_port

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Web:
    """A gunicorn with two worker processes."""

    port: int
    master: int

    def processes(self) -> list[int]:
        """The process ids of those that answer."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children").read_text()
        return [int(number) for number in children.split()]

    def deliver(self, payloads: list[tuple[bytes, str]]) -> list[tuple[int, bytes]]:
        """Post each body with its signature over one connection, one after the other: status and body of the answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        answers = []
        for payload, header in payloads:
            headers = {"Content-Type": "application/json", "Stripe-Signature": header}
            connection.request("POST", "/stripe/webhook/", payload, headers)
            answer = connection.getresponse()
            answers.append((answer.status, answer.read()))
        connection.close()
        return answers


@contextmanager
def web(**environment: str) -> Iterator[Web]:
    """Two web processes on a free port, ready."""
    port = free_port()
    command = ["-m", "gunicorn", "-c", "config/gunicorn.py", "--bind", f"127.0.0.1:{port}", "wsgi:app"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env={**os.environ, "WEB_CONCURRENCY": "2", "WEB_THREADS": "2", "PORT": str(port), **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        site = Web(port, process.pid)
        wait_until(lambda: answers(port) and len(site.processes()) == 2, 60)
        yield site
    finally:
        process.terminate()
        process.wait(timeout=40)


@contextmanager
def worker(**environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process; killed at the end where it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "jobs", "worker"],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Return once ``condition()`` holds; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
