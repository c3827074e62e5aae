"""Jobs and the inbox for staff: a failed run retried or discarded, what a run booked, slots missed, an event given up."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind
from soulseer.domain.schedule import PLAN_BY_NAME, slot_name
from soulseer.jobs import close_lost_runs, runner
from soulseer.jobs.context import JobContext
from soulseer.jobs.runner import Request
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.operations import AuditEntry, JobRun
from soulseer.models.payments import WebhookEvent
from soulseer.services import console_now, job_pauses, ledger, missed_slots
from tests import factories
from tests.admin.conftest import Browser
from tests.admin.world import build

WHY = "The cause is mended now"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def failed_run(job: str = "lift_suspensions", slot: str | None = None) -> int:
    with transaction() as session:
        run = JobRun(
            job=job, slot=slot, started_at=clock.now(), finished_at=clock.now(), outcome="failed",
            arguments={}, counts={}, error="Traceback: it broke",
        )  # fmt: skip
        session.add(run)
        session.flush()
        return run.id


def test_a_failed_run_is_run_again_once(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    run_id = failed_run()
    staff: Browser = browser("ops")
    path = f"/admin/runs/{run_id}/"
    assert "Traceback: it broke" in staff.get(path).text
    first = staff.post(f"{path}retry/", reason=WHY)
    second = staff.post(f"{path}retry/", reason=WHY)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    asked = db.session.query(AuditEntry).filter_by(action="job.run_asked").all()
    assert [one.details["job"] for one in asked] == ["lift_suspensions"]
    assert "What came of the retry" in staff.get(path).text
    fine = runner.run(Request("lift_suspensions"))
    assert fine is not None
    db.session.rollback()
    done = db.session.query(JobRun.id).filter_by(outcome="succeeded").scalar()
    assert staff.post(f"/admin/runs/{done}/retry/", reason=WHY).status_code == 409


def test_a_discarded_run_waits_for_nobody(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    run_id = failed_run()
    assert console_now.counts(clock.now())["failed_runs"].count == 1
    staff: Browser = browser("ops")
    assert staff.post(f"/admin/runs/{run_id}/discard/", reason=WHY).status_code == 303
    assert staff.post(f"/admin/runs/{run_id}/discard/", reason=WHY).status_code == 409
    db.session.rollback()
    assert "failed_runs" not in console_now.counts(clock.now())
    assert "discarded" in staff.get("/admin/runs/").text


def test_a_run_tells_what_it_booked(app: Flask, monkeypatch: pytest.MonkeyPatch, browser) -> None:  # type: ignore[no-untyped-def]
    person = factories.person(wallet="10.00")

    def book(context: JobContext) -> dict[str, int]:
        with transaction():
            wallet = ledger.account_id(AccountKind.CLIENT_WALLET, person.id)
            clearing = ledger.account_id(AccountKind.STRIPE_CLEARING)
            amount = ledger.balance(AccountKind.CLIENT_WALLET, person.id)
            ledger.post(
                ledger.TransferKind.TOP_UP,
                "a test's own",
                [ledger.Posting(wallet, amount), ledger.Posting(clearing, -amount)],
                context.now,
            )
        return {"booked": 1}

    changed = {**vars(runner.JOBS["close_lost_runs"]), "run": book}
    monkeypatch.setitem(runner.JOBS, "close_lost_runs", type(runner.JOBS["close_lost_runs"])(**changed))
    runner.run(Request("close_lost_runs"))
    db.session.rollback()
    run_id = db.session.query(JobRun.id).filter_by(job="close_lost_runs").scalar()
    made = db.session.query(LedgerTransaction).filter_by(idempotency_key="a test's own").one()
    assert made.job_run_id == run_id
    page = browser("admin").get(f"/admin/runs/{run_id}/").text
    assert f'href="/admin/transactions/{made.id}/"' in page
    assert close_lost_runs.run(JobContext(now=clock.now())) is not None


def test_slots_that_nobody_ran_are_named(app: Flask) -> None:
    plan = PLAN_BY_NAME["lift_suspensions"]
    assert missed_slots.counts(NOON)["lift_suspensions"] == 0
    step = timedelta(seconds=plan.seconds())
    # Every five minutes from eleven on; twelve slots until noon, of which four were not run, in two stretches.
    for number in range(12):
        if number not in (3, 4, 5, 8):
            failed_run(slot=slot_name(NOON - timedelta(hours=1) + number * step))
    assert missed_slots.counts(NOON)["lift_suspensions"] == 4
    found = missed_slots.spans(plan, NOON)
    assert [(span.first.minute, span.count) for span in found] == [(40, 1), (15, 3)]
    person = factories.person("ops").id
    with transaction():
        job_pauses.pause(plan, NOON - timedelta(minutes=25), person, WHY, NOON - timedelta(minutes=50))
    assert missed_slots.counts(NOON)["lift_suspensions"] == 1


def test_an_event_is_given_up_and_still_replayable(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    world = build()
    staff: Browser = browser("finance")
    path = f"/admin/webhooks/{world.webhook}/"
    with transaction():
        db.session.execute(
            text("UPDATE webhook_event SET status = 'failed' WHERE id = :id AND status = 'received'"),
            {"id": world.webhook},
        )
    assert staff.post(f"{path}set-aside/", reason=WHY).status_code == 303
    assert staff.post(f"{path}set-aside/", reason=WHY).status_code == 409
    db.session.rollback()
    event = db.session.get_one(WebhookEvent, world.webhook)
    assert (event.status, event.next_attempt_at) == ("ignored", None)
    assert WHY in staff.get(path).text
    assert staff.post(f"{path}replay/", reason=WHY).status_code == 303
