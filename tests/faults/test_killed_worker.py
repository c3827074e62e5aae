"""A worker killed with SIGKILL inside a tick's transaction, again and again: no minute is lost and none is doubled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from soulseer import gateways
from soulseer.db import db
from soulseer.jobs import billing_tick, close_lost_runs, runner
from soulseer.jobs.context import JobContext
from soulseer.models.operations import JobRun
from soulseer.services import ledger_check
from tests import bulk
from tests.factories import START

REPOSITORY = Path(__file__).resolve().parents[2]
NOW = START + timedelta(seconds=130)
KILLS, BATCH = 24, 20

# Within the tick's transaction, halt it: where the minutes are written (odd kills), or at its very last statement, the
# platform's shard (even kills), once the minutes of the session named by fault.halt_at are among them.
_TRAPS = """
CREATE SCHEMA fault;
CREATE TABLE fault.halt (at_session bigint, at_last_statement boolean);
GRANT USAGE ON SCHEMA fault TO soulseer;
GRANT SELECT ON fault.halt TO soulseer;
CREATE FUNCTION fault.halt_minutes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE trap fault.halt;
BEGIN
    SELECT * INTO trap FROM fault.halt;
    IF EXISTS (SELECT FROM fresh WHERE reading_session_id = trap.at_session) THEN
        PERFORM set_config('fault.armed', trap.at_last_statement::text, true);
        IF NOT trap.at_last_statement THEN PERFORM pg_sleep(60); END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION fault.halt_shard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('fault.armed', true) = 'true' THEN PERFORM pg_sleep(60); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fault_minutes AFTER INSERT ON reading_minute REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION fault.halt_minutes();
CREATE TRIGGER fault_shard AFTER UPDATE ON ledger_shard FOR EACH STATEMENT EXECUTE FUNCTION fault.halt_shard();
"""
_NO_TRAPS = """
DROP TRIGGER IF EXISTS fault_minutes ON reading_minute;
DROP TRIGGER IF EXISTS fault_shard ON ledger_shard;
DROP SCHEMA IF EXISTS fault CASCADE;
"""
# A backend halted by a trap: in a transaction, asleep, with rows of sessions and accounts written and locked.
_INSIDE = """
SELECT a.pid FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.state = 'active' AND a.wait_event = 'PgSleep' AND a.xact_start IS NOT NULL
    AND a.backend_xid IS NOT NULL
    AND 2 = (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.mode = 'RowExclusiveLock'
             AND l.relation IN ('reading_session'::regclass, 'ledger_account'::regclass))
"""


@pytest.fixture
def traps(app: Flask, superuser: psycopg.Connection) -> Iterator[psycopg.Connection]:
    superuser.execute(_NO_TRAPS)
    superuser.execute(_TRAPS)
    yield superuser
    # Whoever sleeps in a trap, and the test's own open look at the tables, would keep them from being taken off.
    db.session.rollback()
    superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    superuser.execute(_NO_TRAPS)


def set_trap(traps: psycopg.Connection, at_session: int, number: int) -> None:
    with traps.transaction():
        traps.execute("DELETE FROM fault.halt")
        traps.execute("INSERT INTO fault.halt VALUES (%s, %s)", [at_session, number % 2 == 0])


def wait_until_inside(traps: psycopg.Connection, process: int) -> int:
    """The backend that is halted inside the tick's transaction."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        row = traps.execute(_INSIDE).fetchone()
        if row is not None:
            return int(row[0])
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "the tick ended without being halted"
        time.sleep(0.005)
    raise AssertionError("the tick was not halted")


def bury(traps: psycopg.Connection, backend: int) -> None:
    """Wake the dead worker's backend, which finds nobody to answer and rolls back; wait until it has."""
    traps.execute("SELECT pg_terminate_backend(%s)", [backend])
    while traps.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [backend]).fetchone():
        time.sleep(0.005)


def fork_tick(app: Flask) -> int:
    """A process that runs one tick in small batches, as a worker does; its process id."""
    child = os.fork()
    if child:
        return child
    try:
        with app.app_context():
            # The parent's connections are the parent's.
            db.engine.dispose(close=False)
            billing_tick.BATCH = BATCH
            runner.run(runner.Request("billing_tick", now=NOW, assume_present=True))
    finally:
        os._exit(0)


def booked() -> dict[int, int]:
    db.session.rollback()
    rows = db.session.execute(text("SELECT reading_session_id, count(*) FROM reading_minute GROUP BY 1"))
    return dict(rows.tuples().all())


def test_a_worker_killed_twenty_four_times_inside_its_transaction(
    app: Flask, traps: psycopg.Connection
) -> None:
    ids = bulk.sessions([199 * 3 if number % 9 else 199 * 2 for number in range(BATCH * KILLS // 2)])
    committed = [len(ids)]
    for kill in range(KILLS):
        set_trap(traps, ids[BATCH * (kill // 2)], kill)
        process = fork_tick(app)
        try:
            backend = wait_until_inside(traps, process)
        finally:
            os.kill(process, signal.SIGKILL)
        assert os.waitpid(process, 0)[1] == signal.SIGKILL
        bury(traps, backend)
        assert ledger_check.check() == []
        committed.append(sum(booked().values()))
    assert committed == sorted(committed)
    traps.execute("DELETE FROM fault.halt")
    counts = billing_tick.run(JobContext(now=NOW, assume_present=True))
    assert counts["error"] == 0
    assert booked() == {one: 3 if number % 9 else 2 for number, one in enumerate(ids)}
    assert ledger_check.check() == []
    _the_dead_are_told_of(traps, KILLS)


def _the_dead_are_told_of(traps: psycopg.Connection, kills: int) -> None:
    db.session.rollback()
    runs = db.session.query(JobRun).filter_by(outcome="running")
    assert runs.count() == kills
    traps.execute("UPDATE job_run SET started_at = started_at - interval '21 minutes'")
    assert close_lost_runs.run(JobContext(now=NOW)) == {"closed": kills}
    assert runs.count() == 0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_command_killed_twenty_times(app: Flask, traps: psycopg.Connection) -> None:
    ids = bulk.sessions([199 * 3] * 200)
    for kill in range(20):
        set_trap(traps, ids[kill * 10], kill)
        command = subprocess.Popen(
            [sys.executable, "-m", "flask", "jobs", "run", "billing_tick", "--now", NOW.isoformat(), "--assume-present"],
            cwd=REPOSITORY, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            backend = wait_until_inside(traps, command.pid)
        finally:
            command.kill()
        assert command.wait() == -signal.SIGKILL
        bury(traps, backend)
        assert set(booked().values()) == {1}
    traps.execute("DELETE FROM fault.halt")
    assert billing_tick.run(JobContext(now=NOW, assume_present=True))["minutes"] == 400
    assert ledger_check.check() == []


def test_a_queued_tick_whose_worker_is_killed_is_made_up_for(app: Flask, traps: psycopg.Connection) -> None:
    """A real worker process with a real job; afterwards another worker and the next slot do what was due."""
    ids = bulk.sessions([199 * 3] * 30)
    set_trap(traps, ids[0], 1)
    enqueue("20261120T120000Z")
    worker = subprocess.Popen([sys.executable, "-m", "flask", "jobs", "worker"], cwd=REPOSITORY)
    try:
        backend = wait_until_inside(traps, worker.pid)
    finally:
        worker.kill()
        worker.wait()
    bury(traps, backend)
    traps.execute("DELETE FROM fault.halt")
    assert set(booked().values()) == {1}
    enqueue("20261120T120100Z")
    subprocess.run(
        [sys.executable, "-m", "flask", "jobs", "worker", "--burst"], cwd=REPOSITORY, check=True, timeout=60
    )
    assert set(booked().values()) == {3}
    assert ledger_check.check() == []
    runs = db.session.query(JobRun).order_by(JobRun.id).all()
    assert [(run.slot, run.outcome) for run in runs] == [
        ("20261120T120000Z", "running"),
        ("20261120T120100Z", "succeeded"),
    ]


def enqueue(slot: str) -> None:
    arguments = {"slot": slot, "now": NOW, "assume_present": True}
    assert gateways.current().queue.enqueue(
        "billing", "billing_tick", job_id=f"billing_tick-{slot}", arguments=arguments
    )
