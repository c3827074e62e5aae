"""The tick over many sessions: what it charges, what it leaves, and that one bad row stops nobody else."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain.money import from_cents
from soulseer.jobs import billing_tick, runner
from soulseer.jobs.context import JobContext
from soulseer.jobs.runner import Request, RunFailed
from soulseer.models.operations import JobRun
from soulseer.services import ledger_check
from tests import bulk
from tests.factories import START

RATE = 199


def minutes() -> dict[int, int]:
    """Minutes in the ledger by session."""
    db.session.rollback()
    rows = db.session.execute(text("SELECT reading_session_id, count(*) FROM reading_minute GROUP BY 1"))
    return dict(rows.tuples().all())


def states() -> dict[int, str]:
    db.session.rollback()
    return dict(db.session.execute(text("SELECT id, state FROM reading_session")).tuples().all())


def tick(seconds: float, **more: object) -> dict[str, object]:
    return billing_tick.run(JobContext(now=START + timedelta(seconds=seconds), **more))  # type: ignore[arg-type]


def test_each_wallet_pays_what_it_can_and_the_short_ones_are_paused(app: Flask) -> None:
    # Money for one minute up to ten, and a cent short of the next.
    wallets = [RATE * (1 + number % 10) + RATE - 1 for number in range(60)]
    ids = bulk.sessions(wallets)
    counts = tick(305, assume_present=True)
    due = 6
    expected = {one: min(due, 1 + number % 10) for number, one in enumerate(ids)}
    assert minutes() == expected
    assert states() == {one: "active" if expected[one] == due else "paused" for one in ids}
    assert counts["minutes"] == sum(expected.values()) - len(ids)
    assert counts["amount"] == str(from_cents(RATE * (sum(expected.values()) - len(ids))))
    assert ledger_check.check() == []


@pytest.mark.parametrize(("seconds", "paid"), [(60, 1), (60.000001, 2), (120, 2), (120.000001, 3), (600, 10)])
def test_a_minute_is_due_only_when_time_beyond_the_paid_is_covered(
    app: Flask, seconds: float, paid: int
) -> None:
    ids = bulk.sessions([RATE * 20] * 2)
    tick(seconds, assume_present=True)
    assert minutes() == dict.fromkeys(ids, paid)


def test_a_session_that_is_not_due_is_left_alone_among_those_that_are(app: Flask) -> None:
    not_due, due = bulk.sessions([RATE * 20] * 2)
    with transaction():
        earlier = "UPDATE reading_session SET {} WHERE id = :id"
        columns = ("active_since", "activated_at", "paid_until", "covered_until")
        moved = ", ".join(f"{column} = {column} - interval '1 microsecond'" for column in columns)
        db.session.execute(text(earlier.format(moved)), {"id": due})
    tick(60, assume_present=True)
    assert minutes() == {due: 2, not_due: 1}
    tick(120, assume_present=True)
    assert minutes() == {due: 3, not_due: 2}


def test_without_assuming_anything_a_tick_covers_until_the_time_out_before_it(app: Flask) -> None:
    ids = bulk.sessions([RATE * 20] * 2)
    bulk.see(ids, START + timedelta(seconds=91))
    tick(90)
    assert minutes() == dict.fromkeys(ids, 1)
    tick(90.000001)
    assert minutes() == dict.fromkeys(ids, 2)


def test_only_the_silent_are_settled_one_by_one(app: Flask) -> None:
    ids = bulk.sessions([RATE * 5] * 40)
    bulk.see(ids[:30], START + timedelta(seconds=95))
    counts = tick(100)
    assert (counts["minutes"], counts["settled"], counts["paused"]) == (30, 10, 10)
    assert minutes() == {one: 2 if one in ids[:30] else 1 for one in ids}
    assert ledger_check.check() == []


@pytest.mark.parametrize("bad", [0, 7, 19])
def test_one_bad_row_never_stops_a_batch(app: Flask, bad: int) -> None:
    ids = bulk.sessions([RATE * 5] * 20)
    with transaction():
        # A minute that is not the session's own: its next charge breaks the primary key.
        db.session.execute(
            text(
                "INSERT INTO reading_minute (reading_session_id, minute, charged_at, amount, reader_part, platform_part) "
                "VALUES (:id, 2, :now, 199, 139, 60)"
            ),
            {"id": ids[bad], "now": START},
        )
    with pytest.raises(RunFailed) as failed:
        runner.run(Request("billing_tick", now=START + timedelta(seconds=130), assume_present=True))
    assert failed.value.counts["error"] == 1
    assert failed.value.counts["minutes"] == 19 * 2
    assert minutes() == {one: 2 if one == ids[bad] else 3 for one in ids}
    run = db.session.query(JobRun).one()
    assert (run.outcome, run.counts["error"]) == ("failed", 1)


def test_two_parts_make_the_whole(app: Flask) -> None:
    with transaction():
        # Ids on both sides of a block's border.
        db.session.execute(text("SELECT setval(pg_get_serial_sequence('reading_session', 'id'), 4000)"))
    ids = bulk.sessions([RATE * 3] * 300)
    assert {one >> 12 for one in ids} == {0, 1}
    first = tick(70, assume_present=True, arguments={"part": "1/2"})
    second = tick(70, assume_present=True, arguments={"part": "2/2"})
    assert first["minutes"]
    assert second["minutes"]
    assert first["minutes"] + second["minutes"] == 300  # type: ignore[operator]
    assert set(minutes().values()) == {2}


def test_ten_minutes_late_with_both_present_one_gone_and_both_gone(app: Flask) -> None:
    both, one, none = bulk.sessions([RATE * 20] * 3)
    presence, timeout = gateways.current().presence, timedelta(seconds=30)
    for second in range(10, 601, 10):
        for session, role, last in (
            (both, "client", 600), (both, "reader", 600), (one, "reader", 600), (one, "client", 400), (none, "client", 130),
            (none, "reader", 100),
        ):  # fmt: skip
            if second <= last:
                presence.touch(session, role, START + timedelta(seconds=second), timeout)
    tick(600)
    assert minutes() == {both: 10, one: 7, none: 2}
    assert states() == {both: "active", one: "paused", none: "paused"}
    causes = dict(db.session.execute(text("SELECT id, pause_cause FROM reading_session")).tuples().all())
    assert (causes[one], causes[none]) == ("client_dropped", "platform")
    assert ledger_check.check() == []
