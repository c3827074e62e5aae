"""Signs of life at the edges: just after a join, after a simulation, after the end, and when Redis was away."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from soulseer import gateways
from soulseer.domain import errors
from soulseer.gateways.presence import SIGNS, PresenceGateway
from soulseer.services import ledger_check
from tests.readings.room import Room, at

pytestmark = pytest.mark.usefixtures("app")


def test_one_who_calls_every_ten_seconds_after_coming_back_is_never_dropped() -> None:
    room = Room(rate="1.00").start(0)
    room.beats(10, 50)
    room.do("leave", "client", 55)
    room.beat("reader", 80)
    room.do("reconnect", "client", 99)
    room.do("join", "client", 100)
    room.beat("reader", 109)
    room.beats(110, 300)
    session = room.session
    assert (session.state, session.minutes_billed) == ("active", 5)


def test_a_gap_counts_from_the_last_sign_even_if_the_session_began_in_between() -> None:
    room = Room()
    room.do("join", "client", 0)
    room.do("join", "reader", 20)
    room.beat("reader", 30)
    meter = room.beat("client", 30.000001)
    assert (meter.session.state, meter.session.pause_cause) == ("paused", "client_dropped")
    assert (meter.session.paused_at, meter.session.kept_microseconds) == (at(20), 60_000_000)


def test_within_the_time_out_of_the_join_there_is_no_gap() -> None:
    room = Room()
    room.do("join", "client", 0)
    room.do("join", "reader", 20)
    assert room.beat("client", 30).session.state == "active"


def test_whoever_calls_between_two_ticks_of_a_simulation_stays_seen() -> None:
    room = Room(rate="1.00").start(0)
    room.tick(600, assume_present=True)
    room.beat("client", 45)
    room.beat("reader", 45)
    room.beats(55, 700)
    session = room.session
    assert (session.state, session.minutes_billed) == ("active", 12)


def test_a_session_whose_clock_was_moved_on_can_be_left_and_resumed() -> None:
    room = Room(rate="1.00").start(0)
    room.tick(600, assume_present=True)
    meter = room.do("leave", "client", 5)
    assert (meter.session.state, meter.session.paused_at) == ("paused", at(600))
    room.do("reconnect", "client", 8)
    assert room.beat("reader", 9).other_seen
    assert room.do("join", "client", 10).session.state == "active"
    assert room.beat("reader", 15).session.state == "active"
    assert room.session.active_since == at(600)
    room.do("end", "reader", 20)
    assert room.finalize(21)["finalized"] == 1
    assert ledger_check.check() == []


def test_an_ended_session_leaves_nothing_behind_in_redis_whoever_still_looks() -> None:
    room = Room().start(0)
    room.do("end", "client", 20)
    room.beat("client", 21)
    room.beat("reader", 300)
    assert gateways.current().presence.redis.zcard(SIGNS) == 0


def test_the_sweep_forgets_signs_of_sessions_that_are_over() -> None:
    room = Room().start(0)
    room.do("end", "client", 20)
    # A heartbeat that was under way while the session ended.
    gateways.current().presence.touch(room.id, "reader", at(20), timedelta(seconds=30))
    room.expire(60)
    assert gateways.current().presence.redis.zcard(SIGNS) == 0


@pytest.fixture
def redis_away() -> Iterator[None]:
    """Nothing answers where Redis should be."""
    here = gateways.current()
    gateways.configure(dataclasses.replace(here, presence=PresenceGateway("redis://127.0.0.1:9/0")))
    yield
    gateways.configure(here)


def test_no_paid_time_begins_while_nobody_can_be_seen(redis_away: None) -> None:
    room = Room()
    with pytest.raises(errors.PresenceUnavailable) as refused:
        room.do("join", "client", 1)
    assert refused.value.status == 503
    assert room.beat("client", 2).session.state == "waiting"
    assert (room.session.state, room.session.client_joined_at) == ("waiting", None)
    assert room.do("end", "client", 3).session.state == "ended"


def test_while_redis_is_away_nobody_is_judged_and_an_explicit_end_counts(app: Flask) -> None:
    room = Room(rate="3.00").start(0)
    room.beats(10, 50)
    here = gateways.current()
    gateways.configure(dataclasses.replace(here, presence=PresenceGateway("redis://127.0.0.1:9/0")))
    try:
        assert room.beat("client", 90).session.state == "active"
        assert room.do("end", "reader", 100).session.state == "ended"
    finally:
        gateways.configure(here)
    assert (room.session.minutes_billed, room.session.credit_cents) == (2, 100)
    assert room.finalize(101)["finalized"] == 1
