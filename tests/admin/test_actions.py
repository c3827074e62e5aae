"""What staff change: with a reason, an audit row in the same transaction, and no harm when it is asked twice."""

import uuid
from typing import Any

from flask import Flask
from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.jobs import worker
from soulseer.models.ledger import LedgerAlert, LedgerTransaction
from soulseer.models.operations import AuditEntry, JobRun
from soulseer.models.readings import ReadingSession, ReadingSessionEvent
from soulseer.services import ledger_check
from tests.admin.world import build
from tests.readers import sessions
from tests.readings.room import Room

WHY = "The client asked for it by phone"


def audits(action: str) -> list[AuditEntry]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def test_support_ends_a_reading_once(browser: Any) -> None:
    room = Room().start()
    staff = browser("support")
    path = f"/admin/sessions/{room.id}/end/"
    answer = staff.post(path, reason=WHY)
    assert (answer.status_code, answer.location) == (303, f"/admin/sessions/{room.id}/")
    assert room.session.state == "ended"
    assert room.session.end_reason == "staff_ended"
    event = db.session.scalars(
        select(ReadingSessionEvent).where(
            ReadingSessionEvent.reading_session_id == room.id, ReadingSessionEvent.action == "end"
        )
    ).one()
    assert (event.actor_id, event.actor_role, event.details) == (staff.person_id, "staff", {"reason": WHY})
    (entry,) = audits("reading.ended_by_staff")
    assert (entry.actor_id, entry.object_id, entry.reason) == (staff.person_id, str(room.id), WHY)
    assert entry.request_id

    again = staff.post(path, reason=WHY)
    assert again.status_code == 409
    assert "over" in again.text
    assert len(audits("reading.ended_by_staff")) == 1
    assert ledger_check.check() == []


def test_a_change_needs_a_reason_and_changes_nothing_without(browser: Any) -> None:
    room = Room().start()
    staff = browser("admin")
    for reason in ("", "   ", "too short", "x" * 501):
        answer = staff.post(f"/admin/sessions/{room.id}/end/", reason=reason)
        assert answer.status_code == 422
        assert "Reason:" in answer.text
    assert room.session.state == "active"
    assert audits("reading.ended_by_staff") == []


def test_the_timeline_tells_states_and_money_in_one_order(browser: Any) -> None:
    world = build()
    shown = browser("support").get(f"/admin/sessions/{world.over}/").text
    order = ["request", "Minute 1 charged", "drop", "Fair credit", "finalize"]
    places = [shown.find(word, shown.find("States and money")) for word in order if word in shown]
    assert places == sorted(places)
    assert len(places) >= 3
    session = db.session.get_one(ReadingSession, world.over)
    assert f"${session.cost}" in shown


def test_finalizing_again_is_told_and_kept(browser: Any) -> None:
    room = Room()
    reader_id = room.reader.person_id
    # The session says three minutes, the ledger knows of none.
    ended = sessions.finished(room.client.id, reader_id, state="ended")
    staff = browser("finance")
    answer = staff.post(f"/admin/sessions/{ended}/finalize/", reason=WHY)
    assert answer.status_code == 303
    assert "still disagrees" in staff.get(answer.location).text
    assert db.session.scalar(select(LedgerAlert.kind).where(LedgerAlert.reading_session_id == ended))
    (entry,) = audits("reading.finalize_retried")
    assert entry.details == {"finalized": False}
    over = build().over
    assert staff.post(f"/admin/sessions/{over}/finalize/", reason=WHY).status_code == 409


def test_finance_resolves_an_alert_once(browser: Any) -> None:
    alert = build().alert
    staff = browser("finance")
    assert "Resolve it" not in browser("support").get(f"/admin/alerts/{alert}/").text
    assert staff.post(f"/admin/alerts/{alert}/resolve/", reason=WHY).status_code == 303
    db.session.rollback()
    row = db.session.get_one(LedgerAlert, alert, populate_existing=True)
    assert (row.resolved_by, row.resolution) == (staff.person_id, WHY)
    assert staff.post(f"/admin/alerts/{alert}/resolve/", reason=WHY).status_code == 409
    assert len(audits("ledger_alert.resolved")) == 1


def ask(staff: Any, job: str, key: str, **form: str) -> Any:
    return staff.post(f"/admin/jobs/{job}/run/", reason=WHY, key=key, **form)


def test_ops_has_a_job_run_and_sees_what_it_did(app: Flask, browser: Any) -> None:
    room = Room().start()
    room.do("end", "client", 30)
    staff, key = browser("ops"), str(uuid.uuid4())
    answer = ask(staff, "session_finalize", key, session=str(room.id))
    assert (answer.status_code, answer.location) == (303, f"/admin/jobs/asked/{key}/")
    assert "No worker has begun it" in staff.get(answer.location).text
    (entry,) = audits("job.run_asked")
    assert (entry.actor_id, entry.reason) == (staff.person_id, WHY)
    assert entry.details == {
        "job": "session_finalize",
        "arguments": {"session": str(room.id)},
        "dry_run": False,
    }
    # Asked again, before and after it ran: one run.
    assert ask(staff, "session_finalize", key, session=str(room.id)).status_code == 303
    worker.run(burst=True)
    assert ask(staff, "session_finalize", key, session=str(room.id)).status_code == 303
    worker.run(burst=True)
    assert len(audits("job.run_asked")) == 1
    db.session.rollback()
    run = db.session.scalars(select(JobRun).where(JobRun.triggered_by.isnot(None))).one()
    assert (run.triggered_by, run.reason, run.outcome) == (staff.person_id, WHY, "succeeded")
    assert room.session.state == "finalized"
    asked = staff.get(f"/admin/jobs/asked/{key}/")
    assert (asked.status_code, asked.location) == (302, f"/admin/runs/{run.id}/")
    assert "hx-get" not in staff.get(f"/admin/jobs/asked/{key}/", headers={"HX-Request": "true"}).text
    assert WHY in staff.get(asked.location).text


def test_a_dry_run_tells_and_changes_nothing(app: Flask, browser: Any) -> None:
    room = Room().start()
    staff, key = browser("ops"), str(uuid.uuid4())
    assert ask(staff, "billing_tick", key, dry_run="1").status_code == 303
    minutes = room.session.minutes_billed
    worker.run(burst=True)
    assert room.session.minutes_billed == minutes
    db.session.rollback()
    run = db.session.scalars(select(JobRun).where(JobRun.job == "billing_tick", JobRun.dry_run)).one()
    shown = staff.get(f"/admin/runs/{run.id}/").text
    assert "What it would do" in shown
    assert "dry run" in shown


def test_what_does_not_fit_is_refused_and_nothing_is_queued(app: Flask, browser: Any) -> None:
    staff, key = browser("ops"), str(uuid.uuid4())
    assert ask(staff, "session_finalize", key, session="1e3").status_code == 422
    assert ask(staff, "no_such_job", key).status_code == 404
    assert ask(staff, "billing_tick", "no-key").status_code == 400
    assert audits("job.run_asked") == []
    assert sum(gateways.current().queue.lengths(("billing", "sessions", "payments")).values()) == 0


def test_without_redis_a_run_is_refused_and_the_front_page_says_so(
    app: Flask, browser: Any, monkeypatch: Any
) -> None:
    staff = browser("ops")
    token = staff.token()
    from soulseer.gateways.queue import QueueGateway

    away = gateways.Gateways(**{**vars(gateways.current()), "queue": QueueGateway("redis://127.0.0.1:9/0")})
    monkeypatch.setattr(gateways, "_current", away)
    answer = staff.post("/admin/jobs/billing_tick/run/", token, reason=WHY, key=str(uuid.uuid4()))
    assert answer.status_code == 503
    assert audits("job.run_asked") == []
    assert "Redis is away" in staff.get("/admin/dashboard/").text
    assert "Redis does not answer" in staff.get("/admin/jobs/").text


def test_the_balance_after_each_movement_leads_to_the_balance(browser: Any) -> None:
    """On every page of an account, and across them."""
    from soulseer.services import console_ledger, console_movements
    from soulseer.services.console_movements import Place

    world = build()
    account = console_ledger.account(world.wallet)
    whole, more = console_movements.movements(account.LedgerAccount, account.balance, Place(), 100)
    assert more is None
    assert whole[0].balance == account.balance
    assert whole[-1].balance == whole[-1].amount  # the first movement of all
    paged, place = [], Place()
    while place is not None:
        lines, place = console_movements.movements(account.LedgerAccount, account.balance, place, 2)
        paged += lines
    assert [(line.at, line.amount, line.balance) for line in paged] == [
        (line.at, line.amount, line.balance) for line in whole
    ]


def test_a_transaction_shows_both_sides_and_that_they_sum_to_zero(browser: Any) -> None:
    world = build()
    staff = browser("finance")
    shown = staff.get(f"/admin/transactions/{world.transaction}/").text
    assert "$1.00" in shown
    assert "−$1.00" in shown
    minute = staff.get(f"/admin/transactions/minutes/{world.over}/1/").text
    assert f"reading:{world.over}:minute:1" in minute
    for amount in ("−$1.99", "$1.39", "$0.60", "$0.00"):
        assert amount in minute
    key = db.session.scalar(
        select(LedgerTransaction.idempotency_key).where(LedgerTransaction.id == world.transaction)
    )
    found = staff.get("/admin/transactions/", query_string={"key": key}).text
    assert f'href="/admin/transactions/{world.transaction}/"' in found
