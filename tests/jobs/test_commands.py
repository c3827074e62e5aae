"""flask jobs run and list: the business clock, dry runs, what production refuses, and the row that each run leaves."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from soulseer import gateways
from soulseer.db import db
from soulseer.jobs.runner import Request, UnknownJob, run
from soulseer.models.operations import JobRun
from soulseer.services import ledger_check
from tests.factories import START
from tests.readings.room import Room, at


def invoke(app: Flask, *arguments: str) -> Result:
    """The command in an application context of its own, as in another process."""
    db.session.rollback()
    return app.test_cli_runner().invoke(args=["jobs", *arguments])


def counts(app: Flask, *arguments: str) -> dict[str, Any]:
    """What `flask jobs run …` says on its last line."""
    result = invoke(app, "run", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.output.splitlines()[-1])


def everything() -> dict[str, list[Any]]:
    """All rows of all tables but the history of runs, and what is queued. (Looking at presence may list, in Redis, the
    sessions of which it knows nothing yet.)"""
    db.session.rollback()
    tables = db.session.scalars(
        text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'job_run'")
    ).all()
    rows = {
        table: db.session.scalars(text(f"SELECT t::text FROM {table} t ORDER BY 1")).all() for table in tables
    }
    keys = gateways.current().queue.redis.keys("rq:*")
    return rows | {"redis": sorted(keys)}


def runs() -> list[JobRun]:
    db.session.rollback()
    return db.session.query(JobRun).order_by(JobRun.id).all()


def test_a_dry_run_lists_the_charges_it_would_make_and_changes_nothing(app: Flask) -> None:
    rich, poor = Room(wallet="50.00", rate="1.99").start(0), Room(wallet="5.00", rate="1.99").start(0)
    now = at(305).isoformat()
    before = everything()
    told = counts(app, "billing_tick", "--now", now, "--assume-present", "--dry-run", "--json")
    assert everything() == before
    assert told["charges"] == [
        {"session": rich.id, "client": rich.client.email, "minutes": [2, 6], "amount": "9.95"},
        {"session": poor.id, "client": poor.client.email, "minutes": [2, 2], "amount": "1.99"},
    ]
    assert (told["dry_run"], told["sessions"], told["minutes"]) == (True, 2, 6)
    done = counts(app, "billing_tick", "--now", now, "--assume-present")
    assert (done["minutes"], done["amount"], done["paused"]) == (6, "11.94", 1)
    assert (rich.session.minutes_billed, poor.session.minutes_billed) == (6, 2)
    assert [(row.dry_run, row.outcome) for row in runs()] == [(True, "succeeded"), (False, "succeeded")]


def test_a_dry_run_without_assuming_anything_counts_the_seen_only(app: Flask) -> None:
    seen, silent = Room(rate="1.00").start(0), Room(rate="1.00").start(0)
    timeout = timedelta(seconds=30)
    for who in ("client", "reader"):
        for second in range(10, 100, 10):
            gateways.current().presence.touch(seen.id, who, at(second), timeout)
    told = counts(app, "billing_tick", "--now", at(100).isoformat(), "--dry-run")
    assert [charge["session"] for charge in told["charges"]] == [seen.id]
    assert told["to_settle"] == 1
    assert silent.session.minutes_billed == 1


@pytest.mark.parametrize(
    "job", ["billing_tick", "expire_grace_periods", "session_finalize", "process_stripe_webhook"]
)
def test_no_dry_run_changes_anything(app: Flask, job: str) -> None:
    active, left, ended = Room().start(0), Room().start(0), Room().start(0)
    left.do("leave", "client", 10)
    ended.do("end", "client", 10)
    Room()
    before = everything()
    told = counts(app, job, "--now", at(1000).isoformat(), "--dry-run")
    assert told["dry_run"] is True
    assert everything() == before
    assert active.session.state == "active"


def test_assume_present_moves_cover_and_a_later_end_counts_from_it(app: Flask) -> None:
    room = Room(rate="1.00").start(0)
    counts(app, "billing_tick", "--now", at(90).isoformat(), "--assume-present")
    assert room.session.covered_until == at(90)
    assert room.session.minutes_billed == 2
    # Ten seconds have passed on everybody else's clock.
    assert room.do("end", "reader", 10).session.state == "ended"
    session = room.session
    assert (session.ended_at, session.active_microseconds, session.credit_cents) == (at(90), 90_000_000, 50)
    assert room.finalize(11)["finalized"] == 1
    assert room.wallet == Decimal("48.50")
    assert ledger_check.check() == []


def test_an_end_after_the_moved_clock_counts_from_now(app: Flask) -> None:
    room = Room(rate="1.00").start(0)
    counts(app, "billing_tick", "--now", at(90).isoformat(), "--assume-present")
    room.do("end", "reader", 100)
    assert (room.session.ended_at, room.session.active_microseconds) == (at(100), 100_000_000)


def test_the_clock_never_moves_cover_back(app: Flask) -> None:
    room = Room(rate="1.00").start(0)
    counts(app, "billing_tick", "--now", at(300).isoformat(), "--assume-present")
    counts(app, "billing_tick", "--now", at(100).isoformat(), "--assume-present")
    assert (room.session.covered_until, room.session.minutes_billed) == (at(300), 5)


@pytest.mark.parametrize(
    "arguments",
    [
        ["billing_tick", "--now", "yesterday"],
        ["billing_tick", "--arg", "part"],
        ["billing_tick", "--arg", "part=2/1"],
        ["billing_tick", "--arg", "part=0/1"],
        ["billing_tick", "--arg", "part=²/2"],
        ["session_finalize", "--arg", "session=-1"],
        ["session_finalize", "--arg", "session=1e400"],
        ["session_finalize", "--arg", "session=１２"],
        ["session_finalize", "--arg", "session=99999999999999999999"],
        ["no_such_job"],
        ["../billing_tick"],
    ],
)
def test_bad_arguments_are_told_and_do_nothing(app: Flask, arguments: list[str]) -> None:
    before = everything()
    result = invoke(app, "run", *arguments)
    assert result.exit_code == 2
    assert "Error:" in result.output
    assert "Traceback" not in result.output
    assert everything() == before


@pytest.mark.parametrize("options", [["--assume-present"], ["--now", "2026-11-20T12:00:00Z"]])
def test_production_refuses_to_move_the_clock(
    app: Flask, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    settings = app.extensions["settings"].model_copy(update={"app_env": "production"})
    monkeypatch.setitem(app.extensions, "settings", settings)
    result = invoke(app, "run", "billing_tick", *options)
    assert result.exit_code == 2
    assert "production" in result.output
    assert runs() == []


def test_a_run_leaves_a_row(app: Flask) -> None:
    Room(rate="1.00").start(0)
    counts(app, "billing_tick", "--now", at(70).isoformat(), "--assume-present")
    (row,) = runs()
    assert (row.job, row.slot, row.triggered_by, row.outcome, row.error) == (
        "billing_tick",
        None,
        None,
        "succeeded",
        None,
    )
    assert row.counts["minutes"] == 1
    assert row.finished_at is not None
    assert row.finished_at >= row.started_at
    minute = db.session.execute(text("SELECT job_run_id FROM reading_minute WHERE minute = 2")).scalar_one()
    assert minute == row.id, "each minute tells which run charged it"


def test_a_run_that_fails_says_why(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soulseer.services.billing.due_batches", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(Request("billing_tick", now=START))
    (row,) = runs()
    assert (row.outcome, row.error is not None and "ZeroDivisionError" in row.error) == ("failed", True)


def test_a_slot_runs_once(app: Flask) -> None:
    assert run(Request("billing_tick", slot="20261120T120000Z", now=START)) is not None
    assert run(Request("billing_tick", slot="20261120T120000Z", now=START)) is None
    assert run(Request("session_finalize", slot="20261120T120000Z", now=START)) is not None
    assert run(Request("billing_tick", slot="20261120T120100Z", now=START)) is not None
    assert len(runs()) == 3


def test_an_unknown_job_is_refused(app: Flask) -> None:
    with pytest.raises(UnknownJob):
        run(Request("no_such_job"))
    assert runs() == []


def test_the_list_tells_schedule_last_run_and_leader(app: Flask) -> None:
    counts(app, "billing_tick")
    result = invoke(app, "list", "--json")
    assert result.exit_code == 0
    told = json.loads(result.output)
    assert told["leader"] is None
    jobs = {job["name"]: job for job in told["jobs"]}
    assert {
        "billing_tick",
        "expire_grace_periods",
        "session_finalize",
        "process_stripe_webhook",
    } <= jobs.keys()
    tick = jobs["billing_tick"]
    assert (tick["seconds"], tick["queue"], tick["last_run"]["outcome"]) == (60, "billing", "succeeded")
    assert jobs["session_finalize"]["last_run"] is None
    plain = invoke(app, "list")
    assert plain.exit_code == 0
    assert plain.output.startswith("leader: none\n")
    assert all(name in plain.output for name in jobs)
