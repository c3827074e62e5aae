"""Two schedulers: one leads, and when it is killed the other one does within ten seconds; no slot is enqueued twice."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from rq import Queue

from soulseer import gateways
from soulseer.db import db
from soulseer.jobs.runner import Request, run
from soulseer.models.operations import JobRun
from soulseer.services import job_status

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def schedulers(app: Flask) -> Iterator[list[subprocess.Popen]]:
    """Two scheduler processes whose tick is due every second."""
    environment = os.environ | {"BILLING_TICK_SECONDS": "1"}
    command = [sys.executable, "-m", "flask", "jobs", "scheduler"]
    processes = [subprocess.Popen(command, cwd=REPOSITORY, env=environment) for _ in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def leader(unlike: int | None = None, seconds: float = 60) -> int:
    """The process id of the scheduler that leads, once it is another one than ``unlike``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        db.session.rollback()
        name = job_status.leader()
        if name is not None and int(name.rpartition(":")[2]) != unlike:
            return int(name.rpartition(":")[2])
        time.sleep(0.02)
    raise AssertionError("nobody leads")


def slots(queue: Queue) -> list[str]:
    return [
        name.removeprefix("billing_tick-") for name in queue.get_job_ids() if name.startswith("billing_tick-")
    ]


def instant(slot: str) -> datetime:
    return datetime.strptime(slot, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def both_wait_or_lead(superuser: psycopg.Connection) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'soulseer-scheduler%'"
    for _ in range(3000):
        row = superuser.execute(query).fetchone()
        if row == (2,):
            return
        time.sleep(0.02)
    raise AssertionError("the standby did not come up")


def test_the_standby_leads_within_ten_seconds_and_no_slot_is_enqueued_twice(
    app: Flask, schedulers: list[subprocess.Popen], superuser: psycopg.Connection
) -> None:
    queue = gateways.current().queue.queue("billing")
    first = leader()
    both_wait_or_lead(superuser)
    while len(slots(queue)) < 3:
        time.sleep(0.1)
    killed = time.monotonic()
    os.kill(first, signal.SIGKILL)
    second = leader(unlike=first)
    took = time.monotonic() - killed
    assert {first, second} == {process.pid for process in schedulers}
    assert took < 10, f"{took:.1f} s without a leader"
    before = len(slots(queue))
    while len(slots(queue)) < before + 3:
        time.sleep(0.1)
    found = slots(queue)
    assert len(found) == len(set(found))
    instants = [instant(slot) for slot in found]
    assert instants == sorted(instants)
    gaps = [later - earlier for earlier, later in itertools.pairwise(instants)]
    assert max(gaps) <= timedelta(seconds=10)
    _each_runs_once(queue, found)


def _each_runs_once(queue: Queue, found: list[str]) -> None:
    """Even a slot that is run again by hand has one run."""
    for slot in found:
        assert run(Request("billing_tick", slot=slot)) is not None
        assert run(Request("billing_tick", slot=slot)) is None
    rows = db.session.query(JobRun).filter_by(job="billing_tick")
    assert sorted(row.slot or "" for row in rows) == sorted(found)


def test_a_leader_that_loses_its_connection_stops_enqueueing_and_someone_leads_again(
    app: Flask, schedulers: list[subprocess.Popen], superuser: psycopg.Connection
) -> None:
    first = leader()
    both_wait_or_lead(superuser)
    superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s",
        [f"soulseer-scheduler %:{first}"],
    )
    second = leader(unlike=first, seconds=10)
    assert second != first
    both_wait_or_lead(superuser)
    assert leader() == second, "the one that lost its connection waits again"
    queue = gateways.current().queue.queue("billing")
    found = slots(queue)
    assert len(found) == len(set(found))


def test_a_scheduler_that_is_told_to_stop_stops_at_once_leading_or_waiting(
    app: Flask, schedulers: list[subprocess.Popen], superuser: psycopg.Connection
) -> None:
    leader()
    both_wait_or_lead(superuser)
    for process in schedulers:
        process.send_signal(signal.SIGTERM)
    for process in schedulers:
        assert process.wait(timeout=10) == 0
    db.session.rollback()
    assert job_status.leader() is None
