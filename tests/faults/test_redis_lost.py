"""Redis is killed and loses all it holds: what was queued is found again in PostgreSQL, and nobody pays for the outage."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.errors import PresenceUnavailable
from soulseer.gateways.presence import PresenceGateway
from soulseer.gateways.queue import QueueGateway
from soulseer.jobs.runner import Request, run
from soulseer.jobs.schedule import SCHEDULE
from soulseer.sandbox.embedded import EmbeddedValkey
from soulseer.services import ledger_check
from tests import bulk
from tests.factories import START
from tests.readings.room import Room, at


@pytest.fixture
def valkey(app: Flask, tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A Redis of this test's own, which it may kill."""
    here = gateways.current()
    with EmbeddedValkey(tmp_path / "valkey") as server:
        url = server.url(0)
        gateways.configure(dataclasses.replace(here, presence=PresenceGateway(url), queue=QueueGateway(url)))
        yield server
    gateways.configure(here)


def kill(valkey: EmbeddedValkey) -> None:
    """Like a crash without persistence: nothing is left."""
    gateways.current().queue.redis.flushall()
    valkey.stop()


def sweep(seconds: float) -> None:
    """One round of the whole schedule, but for what reads Stripe's lists: there is no Stripe here."""
    for job in SCHEDULE:
        if job.name not in ("pull_stripe_events", "reconcile"):
            run(Request(job.name, now=at(seconds)))


def test_what_was_queued_is_found_by_the_sweeps(valkey: EmbeddedValkey) -> None:
    over, ringing = Room(rate="3.00").start(0), Room(rate="3.00")
    over.do("end", "reader", 20)
    assert gateways.current().queue.queue("sessions").get_job_ids() == [f"session_finalize-{over.id}"]
    kill(valkey)
    valkey.start()
    assert gateways.current().queue.queue("sessions").get_job_ids() == []
    sweep(130)
    assert over.session.state == "finalized"
    assert (ringing.session.state, ringing.session.end_reason) == ("finalized", "no_answer")
    assert ledger_check.check() == []


def test_an_end_while_redis_is_away_is_an_end_and_is_finalized_later(valkey: EmbeddedValkey) -> None:
    room = Room(rate="3.00").start(0)
    kill(valkey)
    assert room.do("end", "client", 20).session.state == "ended"
    valkey.start()
    sweep(60)
    assert room.session.state == "finalized"


def test_whoever_is_gone_pays_nothing_for_the_outage_and_whoever_stays_is_not_dropped(
    valkey: EmbeddedValkey,
) -> None:
    back, gone = Room(rate="1.00").start(0), Room(rate="1.00").start(0)
    for room in (back, gone):
        room.beats(10, 50)
    kill(valkey)
    with pytest.raises(PresenceUnavailable):
        run(Request("billing_tick", now=at(60)))
    for second in (60, 70, 80):
        assert back.beat("client", second).session.state == "active"
    valkey.start()
    back.beats(90, 130)
    sweep(125)
    assert (gone.session.state, gone.session.pause_cause) == ("paused", "platform")
    assert gone.session.minutes_billed == 1
    assert (back.session.state, back.session.minutes_billed) == ("active", 3)
    assert ledger_check.check() == []


def test_a_tick_over_many_sessions_right_after_the_loss_charges_nobody_and_pauses_nobody(
    valkey: EmbeddedValkey,
) -> None:
    ids = bulk.sessions([500] * 50)
    bulk.see(ids, START + timedelta(seconds=100))
    kill(valkey)
    valkey.start()
    counts = run(Request("billing_tick", now=at(110)))
    assert counts is not None
    assert (counts["minutes"], counts["settled"], counts["paused"]) == (0, 50, 0)
    bulk.see(ids[:40], START + timedelta(seconds=135))
    counts = run(Request("billing_tick", now=at(142)))
    assert counts is not None
    assert (counts["minutes"], counts["paused"]) == (40, 10)
    db.session.rollback()
    assert ledger_check.check() == []
