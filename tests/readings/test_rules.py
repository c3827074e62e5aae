"""The rules of a reading session (design §4), each from outside: calls at chosen seconds, money afterwards."""

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from soulseer.db import transaction
from soulseer.domain import errors
from soulseer.services import readings
from tests import factories
from tests.readings.room import Room, at

pytestmark = pytest.mark.usefixtures("app")


def test_the_first_minute_is_charged_when_the_second_one_joins() -> None:
    room = Room()
    assert room.do("join", "client", 5).session.state == "waiting"
    assert room.wallet == Decimal("50.00")
    meter = room.do("join", "reader", 9)
    assert (meter.session.state, meter.session.minutes_billed) == ("active", 1)
    assert meter.balance is None
    assert meter.session.paid_until == at(69)
    assert (room.wallet, room.earnings) == (Decimal("48.01"), Decimal("1.39"))


def test_a_join_repeated_does_nothing() -> None:
    room = Room().start(0)
    room.do("join", "reader", 3)
    room.do("join", "client", 4)
    assert room.session.minutes_billed == 1


def test_the_first_one_must_still_be_there() -> None:
    room = Room()
    room.do("join", "client", 5)
    assert room.do("join", "reader", 36).session.state == "waiting"
    assert room.do("join", "client", 40).session.state == "active"


def test_nobody_answers() -> None:
    room = Room()
    room.do("join", "client", 5)
    with pytest.raises(errors.RingOver):
        room.do("join", "reader", 120)
    assert (room.session.state, room.session.end_reason, room.wallet) == (
        "ended",
        "no_answer",
        Decimal("50.00"),
    )
    with pytest.raises(errors.RingOver):
        room.do("join", "client", 121)


def test_the_job_ends_a_ring_and_frees_both() -> None:
    room = Room()
    assert room.expire(120)["ended"] == 1
    with transaction():
        again = readings.request(room.client.id, room.reader.slug, "text", at(121))
    assert again.state == "waiting"


def test_a_ring_that_is_over_does_not_keep_anybody_busy_even_if_no_job_has_run() -> None:
    room = Room()
    with transaction():
        readings.request(room.client.id, room.reader.slug, "voice", at(120))
    assert room.session.state == "ended"


def test_sixty_seconds_cost_one_minute_and_a_moment_more_costs_two() -> None:
    room = Room().start(0)
    room.beats(10, 50)
    room.do("end", "client", 60)
    assert (room.session.minutes_billed, room.wallet) == (1, Decimal("48.01"))
    other = Room().start(0)
    other.beats(10, 60)
    other.do("end", "client", 60.000001)
    assert (other.session.minutes_billed, other.wallet) == (2, Decimal("46.02"))


def test_a_heartbeat_charges_what_is_due() -> None:
    room = Room().start(0)
    room.beats(10, 60)
    assert room.session.minutes_billed == 1
    room.beat("client", 65)
    assert room.session.minutes_billed == 1, "the reader was last seen at 60, which is paid"
    assert room.beat("reader", 66).session.minutes_billed == 2
    assert room.session.paid_until == at(120)


def test_low_balance_pauses_as_of_paid_until() -> None:
    room = Room(wallet="3.99").start(0)
    room.beats(10, 130)
    session = room.session
    assert (session.state, session.pause_cause, session.minutes_billed) == ("paused", "low_balance", 2)
    assert session.paused_at == at(120)
    assert session.active_microseconds == 120_000_000
    assert session.grace_until == at(130 + 300), "grace runs from when it was recorded"
    assert room.wallet == Decimal("0.01")


def test_after_low_balance_one_needs_a_minutes_money_to_return() -> None:
    room = Room(wallet="1.99").start(0)
    room.beats(10, 70)
    with pytest.raises(errors.InsufficientFunds) as refused:
        room.do("reconnect", "client", 80)
    assert refused.value.missing == Decimal("1.99")
    with transaction():
        factories.fund(room.client.id, "5.00")
    assert room.do("reconnect", "client", 90).session.state == "reconnecting"
    room.beat("reader", 91)
    assert room.do("join", "client", 92).session.state == "active"
    room.beats(100, 110)
    assert (room.session.minutes_billed, room.session.paid_until) == (2, at(152))


def test_a_leave_keeps_the_unused_time_and_a_return_uses_it_first() -> None:
    room = Room().start(0)
    room.beats(10, 20)
    meter = room.do("leave", "client", 25)
    assert (meter.session.state, meter.session.pause_cause) == ("paused", "client_left")
    assert meter.session.kept_microseconds == 35_000_000
    assert meter.session.grace_until == at(325)
    room.do("leave", "client", 26)
    room.do("reconnect", "client", 100)
    room.beat("reader", 100)
    room.do("join", "client", 101)
    assert room.session.paid_until == at(136)
    room.beats(105, 135)
    assert (room.session.minutes_billed, room.wallet) == (1, Decimal("48.01"))


def test_silence_is_a_drop_as_of_the_last_sign_of_life_however_late() -> None:
    room = Room().start(0)
    room.beats(10, 40)
    room.beats(50, 80, "reader")
    session = room.session
    assert (session.state, session.pause_cause, session.paused_at) == ("paused", "client_dropped", at(40))
    assert (session.grace_until, session.kept_microseconds) == (at(340), 20_000_000)


def test_a_gap_is_a_drop_even_when_its_maker_notices_first() -> None:
    room = Room().start(0)
    room.beats(10, 40)
    room.beats(50, 70, "reader")
    meter = room.beat("client", 71)
    assert (meter.session.state, meter.session.pause_cause, meter.session.paused_at) == (
        "paused",
        "client_dropped",
        at(40),
    )


def test_thirty_seconds_of_silence_are_not_a_drop() -> None:
    room = Room().start(0)
    room.beat("client", 10)
    room.beat("reader", 10)
    room.beat("reader", 40)
    assert room.beat("client", 40).session.state == "active"


def test_both_silent_is_the_platforms_fault_and_grace_runs_from_when_it_was_seen() -> None:
    room = Room().start(0)
    room.beats(10, 40)
    room.tick(600)
    session = room.session
    assert (session.state, session.pause_cause, session.paused_at) == ("paused", "platform", at(40))
    assert (session.grace_until, session.minutes_billed) == (at(900), 1)


def test_a_late_tick_with_one_gone_charges_to_the_last_sign() -> None:
    room = Room(rate="1.00").start(0)
    room.beats(10, 130)
    room.beats(140, 600, "reader", every=29)
    session = room.session
    assert (session.state, session.paused_at) == ("ended", at(130)), (
        "the drop, then its grace, had run out by 600"
    )
    assert session.minutes_billed == 3


def test_a_late_tick_with_both_there_catches_up() -> None:
    room = Room(rate="1.00").start(0)
    for second in range(10, 600, 10):
        # Signs of life alone: as if charging on heartbeat were off.
        for who in ("client", "reader"):
            from soulseer import gateways

            gateways.current().presence.touch(room.id, who, at(second), timedelta(seconds=30))
    counts = room.tick(600)
    assert counts["minutes"] == 9
    assert (room.session.state, room.session.minutes_billed, room.wallet) == ("active", 10, Decimal("40.00"))


def test_grace_is_over_to_the_second_even_if_no_job_has_run() -> None:
    room = Room().start(0)
    room.do("leave", "reader", 20)
    with pytest.raises(errors.GraceOver):
        room.do("reconnect", "reader", 320)
    session = room.session
    assert (session.state, session.ended_at, session.end_reason) == ("ended", at(320), "grace_over")


def test_a_reader_who_leaves_for_good_gives_kept_time_back() -> None:
    room = Room(rate="3.00").start(0)
    room.do("leave", "reader", 20)
    room.expire(320)
    session = room.session
    assert session.credit_cents == 200
    assert (room.wallet, room.earnings) == (Decimal("49.00"), Decimal("0.70"))
    assert room.finalize(321) == {"finalized": 1, "alerts": 0, "error": 0}


def test_a_client_who_leaves_for_good_gets_nothing_back() -> None:
    room = Room(rate="3.00").start(0)
    room.do("leave", "client", 20)
    room.expire(320)
    assert (room.session.credit_cents, room.wallet) == (0, Decimal("47.00"))


@pytest.mark.parametrize(("who", "back"), [("client", "47.00"), ("reader", "49.00")])
def test_ending_an_active_session_credits_only_if_the_client_did_not_end_it(who: str, back: str) -> None:
    room = Room(rate="3.00").start(0)
    room.do("end", who, 20)
    assert room.wallet == Decimal(back)


def test_a_reconnect_that_first_finds_a_drop_books_both_moves() -> None:
    room = Room().start(0)
    room.beat("client", 30)
    assert room.do("reconnect", "client", 33).session.state == "reconnecting"
    assert (room.session.reconnects, room.session.pause_cause) == (1, "reader_dropped")


def test_too_many_reconnects_end_the_session() -> None:
    room = Room(rate="1.00").start(0)
    second = 0.0
    for _ in range(5):
        room.do("leave", "client", second + 1)
        room.do("reconnect", "client", second + 2)
        room.beat("reader", second + 2)
        room.do("join", "client", second + 3)
        second += 3
    room.do("leave", "client", second + 1)
    with pytest.raises(errors.TooManyReconnects):
        room.do("reconnect", "client", second + 2)
    assert (room.session.state, room.session.end_reason) == ("ended", "too_many_reconnects")
    assert room.session.minutes_billed == 1, "no number of reconnects bills twice"
    assert room.finalize(100)["finalized"] == 1


@pytest.mark.parametrize("action", ["leave", "reconnect"])
def test_an_illegal_move_changes_nothing(action: str) -> None:
    room = Room()
    with pytest.raises(errors.IllegalMove):
        room.do(action, "client", 5)
    assert room.session.state == "waiting"


def test_a_stranger_is_refused() -> None:
    room = Room().start(0)
    stranger = factories.person()
    from soulseer.blueprints import room_calls

    with pytest.raises(errors.NotParticipant):
        room_calls.look(room.id, stranger.id, at(5))


def test_no_money_no_row() -> None:
    client, reader = factories.person(wallet="1.98"), factories.reader("1.99")
    with pytest.raises(errors.InsufficientFunds) as refused, transaction():
        readings.request(client.id, reader.slug, "text", at(0))
    assert refused.value.missing == Decimal("0.01")
    with pytest.raises(errors.InsufficientFunds), transaction():
        readings.request(client.id, reader.slug, "text", at(0))


def test_nobody_is_in_two_sessions_in_whichever_role() -> None:
    room = Room()
    other = factories.reader()
    with pytest.raises(errors.AlreadyLive), transaction():
        readings.request(room.client.id, other.slug, "text", at(1))
    somebody = factories.person(wallet="50.00")
    with pytest.raises(errors.AlreadyLive), transaction():
        readings.request(somebody.id, room.reader.slug, "text", at(1))


def test_a_rate_of_a_cent_and_a_session_of_a_moment(app: Flask) -> None:
    room = Room(rate="0.01").start(0)
    room.do("end", "reader", 0.5)
    assert room.finalize(1)["finalized"] == 1


def test_redis_losing_its_memory_waits_one_time_out_before_judging() -> None:
    from soulseer import gateways

    room = Room(rate="1.00").start(0)
    room.beats(10, 50)
    gateways.current().presence.redis.flushdb()
    room.tick(90)
    assert room.session.state == "active"
    room.tick(121)
    session = room.session
    assert (session.state, session.pause_cause) == ("paused", "platform")
    assert session.paused_at == session.covered_until
    assert session.minutes_billed == 1
