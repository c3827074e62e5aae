"""The inbox itself: events handed to their capability, waiting for another event, waking workers, the database's guards."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.jobs import process_stripe_webhook, sweeping, worker
from soulseer.models.operations import JobRun
from soulseer.services import stripe_handlers, webhooks
from soulseer.services.stripe_events import (
    PROCESSED,
    EventInHand,
    Handler,
    Question,
    Verdict,
    ignored,
    later,
    quarantined,
)
from tests.inbox.pulls import set_cursor, stored
from tests.money_in.conftest import Sandbox
from tests.money_in.events import alerts, as_event, deliver, row_of, statuses, work

KIND = "capability.tested"
HOURS = timedelta(hours=1)
Handle = Callable[..., None]


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Handle:
    """Have events of KIND examined, asked about and applied as told."""

    def by(
        examine: Callable[[EventInHand, datetime], Verdict | Question] = lambda event, now: Question(
            "x_1", 7
        ),
        ask: Callable[[Question], Any] = lambda question: question,
        apply: Callable[..., Verdict] = lambda event, question, answer, now: PROCESSED,
    ) -> None:
        handler = Handler((KIND,), examine, ask, apply)
        monkeypatch.setattr(webhooks, "HANDLERS", {**stripe_handlers.HANDLERS, KIND: handler})

    return by


def announce(sandbox: Sandbox, event_id: str = "evt_1") -> None:
    deliver(sandbox, as_event({"id": "x_1", "object": "thing"}, event_id, KIND))


def test_a_capability_gets_its_event_the_answer_and_one_clock(sandbox: Sandbox, handle: Handle) -> None:
    seen: list[Any] = []

    def apply(event: EventInHand, question: Question, answer: Any, now: datetime) -> Verdict:
        seen.append((event.type, event.said["id"], question.row_id, answer))
        assert now - timedelta(minutes=1) < event.created <= now
        return PROCESSED

    handle(ask=lambda question: None, apply=apply)
    announce(sandbox)
    assert work() == {"processed": 1}
    assert seen == [(KIND, "x_1", 7, None)]


@pytest.mark.parametrize("step", ["examine", "apply"])
@pytest.mark.parametrize(
    ("verdict", "status", "alerted"),
    [
        (PROCESSED, "processed", []),
        (ignored("nothing to do"), "ignored", []),
        (quarantined("does not fit"), "quarantined", ["webhook_quarantined:evt_1"]),
        (quarantined("of no weight", alert=False), "quarantined", []),
    ],
    ids=lambda value: str(getattr(value, "words", value)),
)
def test_each_verdict(
    sandbox: Sandbox, handle: Handle, step: str, verdict: Verdict, status: str, alerted: list[str]
) -> None:
    handle(**{step: lambda *_: verdict})
    announce(sandbox)
    assert work() == {status: 1}
    row = row_of("evt_1")
    assert (row.status, row.error, row.next_attempt_at) == (status, verdict.words or None, None)
    assert alerts() == alerted
    assert work(later=1000 * HOURS) == {}


@pytest.mark.parametrize("step", ["examine", "ask", "apply"])
def test_a_fault_in_any_step_stops_no_other_and_leaves_nothing_of_it(
    sandbox: Sandbox, handle: Handle, step: str
) -> None:
    def fault(*_: Any) -> Any:
        if step != "ask":
            db.session.execute(text("UPDATE webhook_event SET error = 'half done'"))
        raise ZeroDivisionError("a fault of ours")

    handle(**{step: fault})
    announce(sandbox)
    deliver(sandbox, as_event({"id": "ch_1"}, "evt_2", "charge.updated"))
    assert work() == {"error": 1, "ignored": 1}
    row = row_of("evt_1")
    assert (row.status, row.attempts, row.error) == ("failed", 1, "ZeroDivisionError: a fault of ours")
    handle()
    assert work(later=timedelta(minutes=1)) == {"processed": 1}


def test_what_waits_for_another_event_is_tried_for_days_without_an_alert(
    sandbox: Sandbox, handle: Handle
) -> None:
    handle(examine=lambda event, now: later("its payment is not here yet"))
    announce(sandbox)
    began = clock.now()
    waited = timedelta(0)
    assert work() == {"later": 1}
    while (due := row_of("evt_1").next_attempt_at) is not None:
        assert row_of("evt_1").error == "its payment is not here yet"
        assert alerts() == []
        waited = due - began
        assert work(later=waited - timedelta(seconds=1)) == {}
        counts = work(later=waited + timedelta(seconds=1))
    assert waited > timedelta(days=3)
    # Only now it is somebody's.
    assert (counts, alerts()) == ({"failed": 1}, ["webhook_failed:evt_1"])


def test_what_waited_is_done_once_the_other_has_come(sandbox: Sandbox, handle: Handle) -> None:
    arrived: list[str] = []

    def apply(event: EventInHand, *_: Any) -> Verdict:
        if event.event_id == "evt_payment":
            arrived.append(event.event_id)
            return PROCESSED
        return PROCESSED if arrived else later("its payment is not here yet")

    handle(apply=apply)
    announce(sandbox, "evt_refund")
    assert work() == {"later": 1}
    announce(sandbox, "evt_payment")
    assert work() == {"processed": 1}
    assert work(later=timedelta(minutes=1)) == {"processed": 1}
    assert set(statuses().values()) == {"processed"}
    assert row_of("evt_refund").error is None


def test_a_lasting_fault_is_put_before_a_person_within_hours_and_still_tried(
    sandbox: Sandbox, handle: Handle
) -> None:
    def fault(*_: Any) -> Any:
        raise ZeroDivisionError

    handle(examine=fault)
    announce(sandbox)
    for run in range(webhooks.ALERT_AT):
        assert alerts() == []
        assert work(later=run * HOURS)["error"] == 1
    assert alerts() == ["webhook_failed:evt_1"]
    assert row_of("evt_1").next_attempt_at is not None


def test_an_event_that_ends_its_workers_is_given_up(sandbox: Sandbox, handle: Handle) -> None:
    def die(*_: Any) -> Any:
        raise SystemExit("killed")

    handle(ask=die)
    announce(sandbox)
    for run in range(webhooks.MOST_ATTEMPTS):
        with pytest.raises(SystemExit):
            work(later=run * HOURS)
    handle()
    assert work(later=1000 * HOURS) == {"error": 1}
    row = row_of("evt_1")
    assert (row.status, row.next_attempt_at) == ("failed", None)
    assert row.error == "every worker died with it in hand"
    assert alerts() == ["webhook_failed:evt_1"]
    assert work(later=2000 * HOURS) == {}


def test_a_type_has_one_handler() -> None:
    one = Handler(("a", "b"), *[lambda *_: None] * 3)  # type: ignore[arg-type]
    other = Handler(("b",), *[lambda *_: None] * 3)  # type: ignore[arg-type]
    assert stripe_handlers._by_type((one,), ()) == {"a": one, "b": one}
    with pytest.raises(ValueError, match="two handlers claim b"):
        stripe_handlers._by_type((one,), (other,))


def queued() -> int:
    return gateways.current().queue.queue("payments").count


def test_a_burst_of_events_wakes_one_run_which_acts_on_all_of_them(sandbox: Sandbox, handle: Handle) -> None:
    handle()
    for number in range(5):
        announce(sandbox, f"evt_{number}")
    assert queued() == 1
    worker.run(burst=True)
    assert set(statuses().values()) == {"processed"}
    assert len(statuses()) == 5
    # The next event wakes the next run.
    announce(sandbox, "evt_5")
    assert queued() == 1
    worker.run(burst=True)
    assert statuses()["evt_5"] == "processed"


def test_what_is_stored_while_a_run_is_under_way_wakes_another(sandbox: Sandbox, handle: Handle) -> None:
    def ask(question: Question) -> None:
        if not late:
            late.append("evt_2")
            announce(sandbox, "evt_2")
            assert queued() == 1

    late: list[str] = []
    handle(ask=ask)
    announce(sandbox)
    worker.run(burst=True)
    assert set(statuses().values()) == {"processed"}
    assert len(statuses()) == 2


def test_a_run_that_takes_too_long_leaves_the_rest_to_another(
    sandbox: Sandbox, handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle()
    monkeypatch.setattr(sweeping, "LONGEST_SECONDS", -1)
    monkeypatch.setattr(process_stripe_webhook, "ASKED_AT_ONCE", 1)
    for number in range(3):
        announce(sandbox, f"evt_{number}")
    worker.run(burst=True)
    assert set(statuses().values()) == {"processed"}
    with transaction():
        counts = list(db.session.scalars(select(JobRun.counts).order_by(JobRun.id)))
    assert counts[:3] == [{"processed": 1}] * 3


def test_stripe_is_asked_about_several_events_at_once(sandbox: Sandbox, handle: Handle) -> None:
    count = process_stripe_webhook.ASKED_AT_ONCE
    # Every question waits for the last: one by one, none would be answered.
    asked = threading.Barrier(count, timeout=10)

    def ask(question: Question) -> str:
        asked.wait()
        return question.stripe_id

    def apply(event: EventInHand, question: Question, answer: str, now: datetime) -> Verdict:
        assert answer == event.event_id
        if answer == "evt_3":
            raise ZeroDivisionError("a fault of ours")
        return PROCESSED

    handle(lambda event, now: Question(event.event_id, 7), ask, apply)
    for number in range(count):
        announce(sandbox, f"evt_{number}")
    assert work() == {"processed": count - 1, "error": 1}
    assert (statuses()["evt_3"], row_of("evt_3").error) == (
        "failed",
        "ZeroDivisionError: a fault of ours",
    )


def test_an_event_is_due_by_stripes_instant(sandbox: Sandbox) -> None:
    announce(sandbox)
    row = row_of("evt_1")
    assert row.created_at is not None
    assert row.next_attempt_at == row.created_at <= row.received_at


REFUSED = {
    "a processed event is never put back": "UPDATE webhook_event SET status = 'received'",
    "what it says never changes": "UPDATE webhook_event SET payload = 'x'",
    "nor how it came": "UPDATE webhook_event SET came_by = 'pull'",
    "nor when it was made": "UPDATE webhook_event SET created_at = now()",
    "it is kept": "DELETE FROM webhook_event",
    "there are two ways to come": "INSERT INTO webhook_event (vendor, event_id, type, livemode, payload, status, attempts, "
    "received_at, came_by) VALUES ('stripe', 'e', 't', false, '', 'received', 0, now(), 'mail')",
    "the cursor never goes back": "UPDATE stripe_event_pull SET covered_until = covered_until - interval '1 second'",
    "nor to another mode": "UPDATE stripe_event_pull SET livemode = true",
    "nor away": "DELETE FROM stripe_event_pull",
    "nor all of it": "TRUNCATE stripe_event_pull",
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_the_database_refuses(sandbox: Sandbox, handle: Handle, statement: str) -> None:
    handle()
    announce(sandbox)
    assert work() == {"processed": 1}
    set_cursor(clock.now())
    with pytest.raises(IntegrityError), transaction():
        db.session.execute(text(statement))
    assert row_of("evt_1").status == "processed"


@pytest.mark.parametrize("status", ["quarantined", "failed", "ignored"])
def test_the_database_lets_a_replay_through(app: Flask, superuser: psycopg.Connection, status: str) -> None:
    superuser.execute(
        "INSERT INTO webhook_event (vendor, event_id, type, livemode, payload, status, attempts, received_at) "
        "VALUES ('stripe', 'evt_1', 't', false, '', %s, 1, now())",
        [status],
    )
    with transaction():
        db.session.execute(text("UPDATE webhook_event SET status = 'received'"))
    assert stored()["evt_1"].status == "received"
