"""The switch that stops all billing, and pauses of jobs: what is charged, what is refused, and that everybody sees why."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.errors import BillingStopped, Conflict, InvalidInput
from soulseer.domain.schedule import PLAN_BY_NAME
from soulseer.gateways.board import NOTHING
from soulseer.jobs import billing_tick, runner, scheduler
from soulseer.jobs.context import JobContext
from soulseer.jobs.leader import Leadership
from soulseer.jobs.schedule import JOBS
from soulseer.models.operations import AuditEntry, JobRun
from soulseer.services import billing_stops, board, job_pauses, ledger_check
from tests import bulk, factories
from tests.factories import START
from tests.promotions.credit import give
from tests.readings.room import Room, at

WHY = "a test of the switch"


@pytest.fixture(autouse=True)
def clean_board(app: Flask) -> Iterator[None]:
    yield
    gateways.current().presence.board.put(NOTHING)


def stop(second: float) -> None:
    person = factories.person("ops").id
    with transaction():
        billing_stops.stop(person, WHY, at(second))


def lift(second: float) -> None:
    person = factories.person("ops").id
    with transaction():
        billing_stops.lift(person, WHY, at(second))


def test_no_minute_is_charged_and_the_reading_is_paused_where_its_paid_time_ends(app: Flask) -> None:
    room = Room().start()
    room.beats(10, 50)
    stop(52)
    room.beat("client", 60)
    # What is paid is served.
    assert room.beat("reader", 60).session.state == "active"
    room.beat("client", 65)
    room.beat("reader", 66)
    session = room.session
    assert (session.state, session.pause_cause, session.minutes_billed) == ("paused", "billing_stopped", 1)
    assert session.paused_at == at(60)
    assert session.kept_microseconds == 0
    # Nobody could have come back earlier: the time to come back begins when it was noticed.
    assert session.grace_until is not None
    assert session.grace_until >= at(65) + timedelta(seconds=300)
    with pytest.raises(BillingStopped):
        room.do("reconnect", "client", 70)
    lift(100)
    room.do("reconnect", "client", 110)
    room.do("join", "client", 111)
    room.do("join", "reader", 112)
    room.beats(115, 125)
    assert (room.session.state, room.session.minutes_billed) == ("active", 2)
    room.do("end", "client", 130)
    room.finalize(140)
    assert room.session.state == "finalized"
    assert ledger_check.check() == []


def test_what_is_paid_and_kept_may_be_used_while_it_is_stopped(app: Flask) -> None:
    room = Room().start()
    room.beats(10, 20)
    room.do("leave", "client", 25)
    stop(30)
    room.do("reconnect", "client", 35)
    room.do("join", "client", 35)
    assert room.do("join", "reader", 36).session.state == "active"
    room.beats(40, 80)
    session = room.session
    assert (session.state, session.pause_cause, session.minutes_billed) == ("paused", "billing_stopped", 1)
    assert session.active_microseconds == 60_000_000


def test_nothing_begins_while_it_is_stopped(app: Flask) -> None:
    room = Room()
    room.do("join", "client", 1)
    stop(2)
    with pytest.raises(BillingStopped):
        room.do("join", "reader", 3)
    assert (room.session.state, room.session.minutes_billed, room.wallet) == ("waiting", 0, Decimal("50.00"))
    with pytest.raises(BillingStopped) as refused:
        Room()
    assert refused.value.status == 503
    lift(4)
    assert room.do("join", "reader", 5).session.state == "active"


def test_credit_is_not_spent_either(app: Flask) -> None:
    room = Room()
    give(room.client.id, "20.00")
    room.start()
    room.beats(10, 50)
    stop(52)
    room.beats(60, 80)
    assert (room.session.pause_cause, room.session.minutes_billed) == ("billing_stopped", 1)
    assert ledger_check.check() == []


def test_the_tick_charges_nothing_and_pauses_what_is_due(app: Flask) -> None:
    ids = bulk.sessions([199 * 20] * 30)
    bulk.see(ids, START + timedelta(seconds=95))
    stop(50)
    plan = billing_tick.run(JobContext(now=at(95), dry_run=True))
    assert (plan["billing_stopped"], plan["due"]) == (True, 30)
    counts = billing_tick.run(JobContext(now=at(95)))
    assert (counts["minutes"], counts["paused"], counts["error"]) == (0, 30, 0)
    db.session.rollback()
    assert db.session.scalar(text("SELECT count(*) FROM reading_minute")) == 30
    causes = db.session.scalars(text("SELECT DISTINCT pause_cause FROM reading_session")).all()
    assert causes == ["billing_stopped"]
    assert ledger_check.check() == []


def test_a_tick_that_began_before_the_stop_charges_nothing_after_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = bulk.sessions([199 * 20] * 5)
    bulk.see(ids, START + timedelta(seconds=95))
    person = factories.person("ops").id
    planned = billing_tick.billing.due_batches

    def late(*given: Any) -> list[list[int]]:
        found = planned(*given)
        billing_stops.stop(person, WHY, at(90))
        return found

    monkeypatch.setattr(billing_tick.billing, "due_batches", late)
    billing_tick.run(JobContext(now=at(95)))
    db.session.rollback()
    assert db.session.scalar(text("SELECT count(*) FROM reading_minute")) == 5
    assert ledger_check.check() == []


def test_one_stop_stands_and_it_is_written_down(app: Flask) -> None:
    stop(0)
    with pytest.raises(Conflict):
        stop(1)
    lift(2)
    with pytest.raises(Conflict):
        lift(3)
    actions = db.session.scalars(
        db.select(AuditEntry.action).where(AuditEntry.object_type == "billing_stop").order_by(AuditEntry.id)
    ).all()
    assert actions == ["billing.stopped", "billing.resumed"]
    for broken in (
        "UPDATE billing_stop SET lifted_at = NULL, lifted_by = NULL, lift_reason = NULL",
        "DELETE FROM billing_stop",
    ):
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(text(broken))


def test_every_page_and_every_program_is_told(app: Flask) -> None:
    stop(0)
    page = app.test_client().get("/")
    assert "All readings are paused" in page.text
    assert "All readings are paused" in app.test_client().get("/readers/browse/").text
    told = gateways.current().presence.board
    # Redis lost its memory: a run of a job writes the hint from the row again.
    told.redis.delete("board")
    billing_tick.run(JobContext(now=at(1)))
    told._looked = 0
    assert told.read().billing_stopped_at == at(0)
    lift(2)
    assert "All readings are paused" not in app.test_client().get("/").text


def pause(job: str, **more: Any) -> None:
    person = factories.person("ops").id
    with transaction():
        job_pauses.pause(PLAN_BY_NAME[job], clock.now() + timedelta(**more), person, WHY, clock.now())


def runs(job: str) -> int:
    db.session.rollback()
    return db.session.query(JobRun).filter(JobRun.job == job).count()


def test_a_paused_job_is_left_out_by_scheduler_and_worker_but_runs_by_hand(app: Flask) -> None:
    pause("sweep_files", hours=1)
    leadership = Leadership(db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    leadership.acquire()
    try:
        assert not scheduler.enqueue_slot(JOBS["sweep_files"], leadership)
        assert scheduler.enqueue_slot(JOBS["lift_suspensions"], leadership)
    finally:
        leadership.release()
    assert runner.run_queued(job="sweep_files", slot="20261120T100000Z") is None
    assert runs("sweep_files") == 0
    person = factories.person("ops").id
    assert runner.run_queued(job="sweep_files", triggered_by=person, reason=WHY) is not None
    assert runs("sweep_files") == 1
    with transaction():
        job_pauses.resume(PLAN_BY_NAME["sweep_files"], person, WHY, clock.now())
    assert runner.run_queued(job="sweep_files", slot="20261120T110000Z") is not None
    assert runs("sweep_files") == 2


def test_a_pause_ends_by_itself_and_another_takes_its_place(app: Flask) -> None:
    pause("billing_tick", seconds=60)
    assert board.notices(clock.now()).tick_paused_until is not None
    later = clock.now() + timedelta(seconds=61)
    assert job_pauses.of_job("billing_tick", later) is None
    assert board.notices(later).tick_paused_until is None
    person = factories.person("ops").id
    plan = PLAN_BY_NAME["billing_tick"]
    with pytest.raises(Conflict), transaction():
        job_pauses.pause(plan, later, person, WHY, clock.now())
    with transaction():
        job_pauses.pause(plan, later + timedelta(hours=1), person, WHY, later)
    for wrong in (later, later + timedelta(days=31)):
        with pytest.raises(InvalidInput), transaction():
            job_pauses.pause(PLAN_BY_NAME["send_mail"], wrong, person, WHY, later)
