"""The pull: what no webhook brought is read from Stripe's list, and no hole is skipped however a pull ends."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.gateways.stripe import StripeUnavailable
from soulseer.jobs import runner
from soulseer.jobs.context import JobArgumentError
from soulseer.models.operations import JobRun
from soulseer.services import event_pulls
from tests import factories
from tests.inbox.pulls import DAYS, HOURS, cursor, pull, set_cursor, stored, unheard
from tests.money_in.conftest import SECRET_KEY, Sandbox, in_threads
from tests.money_in.events import (
    alerts,
    as_event,
    begun,
    books_balance,
    deliver,
    postings,
    statuses,
    wait_for,
    wallet_of,
    work,
)


def test_an_endpoint_that_was_down_for_the_whole_time_is_repaired(sandbox: Sandbox) -> None:
    people = [factories.person() for _ in range(3)]
    sandbox.faults(drop_webhooks=1000)
    for person in people:
        sandbox.pay(begun(person.id).stripe_checkout_session_id or "").raise_for_status()
    assert (work(), stored()) == ({}, {})

    now = clock.now()
    counts = pull(now)
    rows = stored()
    assert counts["stored"] == counts["listed"] == len(rows) >= 3 * 4
    assert {row.came_by for row in rows.values()} == {"pull"}
    assert all(row.created_at and now - row.created_at < timedelta(minutes=1) for row in rows.values())
    assert cursor() == now

    assert work()["processed"] == 3
    assert [wallet_of(person.id) for person in people] == [Decimal("25.00")] * 3
    assert (len(postings()), alerts(), books_balance()) == (3, [], True)
    # Nothing is found a second time, and no worker has anything left to do.
    assert pull()["stored"] == 0
    assert work() == {}


def test_what_was_pulled_is_acted_on_without_waiting_for_the_sweep(sandbox: Sandbox) -> None:
    unheard(sandbox, 3)
    pull()
    assert gateways.current().queue.queue("payments").count == 1


def test_the_webhook_of_a_pulled_event_changes_nothing(sandbox: Sandbox) -> None:
    made = begun(factories.person().id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "").raise_for_status()
    pull()
    work()
    (event,) = sandbox.events("checkout.session.completed")
    answer = deliver(sandbox, as_event(event["data"]["object"], event["id"]))
    assert answer.json() == {"received": True, "new": False}
    assert (work(), len(postings())) == ({}, 1)


def test_a_list_longer_than_a_page_is_read_to_its_end(sandbox: Sandbox) -> None:
    ids = unheard(sandbox, 250)
    counts = pull()
    assert (counts["listed"], counts["stored"]) == (250, 250)
    assert sorted(stored()) == sorted(ids)
    # Older ones were stored first.
    assert min(stored()[one].id for one in ids[200:]) < 101


class Breaks:
    """Stripe's list, that breaks at the call of that number (the first is 1) and works again afterwards."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at_call: int, error: BaseException) -> None:
        self.calls, self.at_call, self.error = 0, at_call, error
        self.whole = event_pulls.list_events
        monkeypatch.setattr(event_pulls, "list_events", self)

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.calls == self.at_call:
            raise self.error
        return self.whole(*arguments)


@pytest.mark.parametrize("error", [StripeUnavailable(may_have_happened=True), SystemExit("killed")], ids=repr)
@pytest.mark.parametrize("at_call", [1, 2, 3])
def test_a_pull_that_breaks_between_pages_leaves_no_hole(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, at_call: int, error: BaseException
) -> None:
    ids = unheard(sandbox, 250)
    with monkeypatch.context() as patch:
        Breaks(patch, at_call, error)
        with pytest.raises(type(error)):
            pull()
    # What was read is kept, but the window is not covered.
    assert len(stored()) == 100 * (at_call - 1)
    assert cursor() is None
    assert pull()["stored"] == 250 - 100 * (at_call - 1)
    assert sorted(stored()) == sorted(ids)
    assert cursor() is not None


def test_a_pull_killed_between_the_last_page_and_the_cursor_reads_again(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    unheard(sandbox, 3)

    def die(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(event_pulls, "cover", die)
        with pytest.raises(SystemExit):
            pull()
    assert (len(stored()), cursor()) == (3, None)
    counts = pull()
    assert (counts["listed"], counts["stored"], len(stored())) == (3, 0, 3)


def test_three_days_are_read_window_by_window_and_a_break_costs_one_window(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    set_cursor(now - 3 * DAYS)
    ids = [unheard(sandbox, at=now - age * HOURS)[0] for age in (71, 50, 30, 10, 1)]
    with monkeypatch.context() as patch:
        breaks = Breaks(patch, at_call=6, error=StripeUnavailable(may_have_happened=True))
        with pytest.raises(StripeUnavailable):
            pull(now)
    assert breaks.calls == 6
    covered = cursor()
    assert covered == now - 3 * DAYS - event_pulls.OVERLAP + 5 * event_pulls.WINDOW
    assert sorted(stored()) == sorted(ids[:2])
    pull(now)
    assert (sorted(stored()), cursor()) == (sorted(ids), now)


def test_an_event_that_was_listed_late_is_found_within_the_overlap(sandbox: Sandbox) -> None:
    now = clock.now()
    pull(now)
    (late,) = unheard(sandbox, at=now - event_pulls.OVERLAP + timedelta(seconds=5))
    assert pull(now + timedelta(seconds=1))["stored"] == 1
    assert list(stored()) == [late]


def test_the_first_pull_of_all_begins_with_our_first_person(sandbox: Sandbox) -> None:
    now = clock.now()
    assert event_pulls.plan(now).since == now - event_pulls.OVERLAP
    factories.person(now=now - 10 * DAYS)
    before, after = unheard(sandbox, at=now - 11 * DAYS), unheard(sandbox, at=now - 9 * DAYS)
    assert event_pulls.plan(now).since == now - 10 * DAYS - event_pulls.OVERLAP
    pull(now)
    assert list(stored()) == after
    assert before[0] not in stored()


def test_stripes_thirty_days_are_the_limit_and_what_lies_beyond_is_told(sandbox: Sandbox) -> None:
    now = clock.now()
    set_cursor(now - 40 * DAYS)
    (kept,) = unheard(sandbox, at=now - 29 * DAYS)
    counts = pull(now)
    assert datetime.fromisoformat(counts["since"]) == now - event_pulls.FURTHEST
    assert list(stored()) == [kept]
    assert alerts() == [f"stripe_events_lost:{now - 40 * DAYS:%Y%m%dT%H%M%SZ}"]
    assert cursor() == now
    pull(now)
    assert len(alerts()) == 1


def test_by_hand_it_looks_further_back_and_never_less_than_the_cursor_needs(sandbox: Sandbox) -> None:
    now = clock.now()
    set_cursor(now)
    (old,) = unheard(sandbox, at=now - 47 * HOURS)
    assert pull(now)["stored"] == 0
    assert pull(now, hours="48")["stored"] == 1
    assert (list(stored()), cursor()) == ([old], now)
    # An hour asked for by hand while the cursor is a day old: the whole day is read.
    day_later = now + DAYS
    assert event_pulls.plan(day_later, hours=1).since == now - event_pulls.OVERLAP
    with pytest.raises(JobArgumentError, match="30 days"):
        pull(now, hours="721")


def test_a_dry_run_names_what_is_missing_and_changes_nothing(sandbox: Sandbox) -> None:
    ids = unheard(sandbox, 3)
    counts = pull(dry_run=True)
    assert sorted(counts["missing"]) == sorted(ids)
    assert "stored" not in counts
    assert (stored(), cursor()) == ({}, None)


def test_two_pulls_and_the_webhooks_at_once_store_each_event_once(sandbox: Sandbox, app: Flask) -> None:
    ids = unheard(sandbox, 150)
    (charge,) = [{"id": "ch_1", "object": "charge"}]
    payloads = [as_event(charge, one, "charge.updated") for one in ids]
    jobs = [
        pull,
        pull,
        *[lambda part=part: [deliver(sandbox, p) for p in part] for part in (payloads[::2], payloads[1::2])],
    ]
    in_threads(app, 4, lambda number: jobs[number]())
    assert sorted(stored()) == sorted(ids)
    assert cursor() is not None


def test_an_event_made_in_this_very_second_is_read(sandbox: Sandbox) -> None:
    now = clock.now().replace(microsecond=0)
    (fresh,) = unheard(sandbox, at=now)
    pull(now)
    assert list(stored()) == [fresh]


def test_stripe_down_fails_the_run_and_the_next_one_makes_it_good(sandbox: Sandbox) -> None:
    unheard(sandbox, 2)
    sandbox.faults(fail_api={"status": 500, "count": 3})
    with pytest.raises(StripeUnavailable):
        pull()
    assert cursor() is None
    assert pull()["stored"] == 2


def test_the_schedule_runs_it_and_its_row_says_what_it_found(sandbox: Sandbox) -> None:
    unheard(sandbox, 2)
    runner.run(runner.Request("pull_stripe_events", slot="20261121T080000Z", arguments={"hours": "2"}))
    with transaction():
        row = db.session.scalars(select(JobRun)).one()
    assert (row.outcome, row.counts["listed"], row.counts["stored"]) == ("succeeded", 2, 2)


def test_without_a_key_there_is_nothing_to_pull(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways.current().stripe, "configured", False)
    assert pull() == {"not_set_up": 1}
    assert cursor() is None


def test_pulled_events_are_as_stripe_keeps_them(sandbox: Sandbox) -> None:
    made = begun(factories.person().id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "").raise_for_status()
    pull()
    for listed in sandbox.events("checkout.session.completed"):
        kept = json.loads(stored()[listed["id"]].payload)
        assert kept | {"pending_webhooks": 0} == listed | {"pending_webhooks": 0}


def test_webhooks_come_as_webhooks(sandbox: Sandbox) -> None:
    made = begun(factories.person().id)
    sandbox.pay(made.stripe_checkout_session_id or "").raise_for_status()
    wait_for(lambda: len(statuses()) >= 4)
    rows = stored().values()
    assert {row.came_by for row in rows} == {"webhook"}
    assert all(row.created_at for row in rows)
    assert SECRET_KEY not in "".join(row.payload.decode() for row in rows)
