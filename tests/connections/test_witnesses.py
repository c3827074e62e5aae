"""Heartbeats and Agora's notices together: who dropped, when and why; what was not served is given back unasked."""

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.errors import TooManyReconnects
from soulseer.domain.readings import Role
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.readings import ReadingSessionEvent
from soulseer.models.refunds import Refund
from soulseer.services import history, ledger_check, receipts
from tests.connections.channel import Call
from tests.readings.room import at


@pytest.fixture
def call(app: Flask) -> Call:
    """Both in room and channel from second 0; 3.00 a minute, five cents a second."""
    made = Call(app).start(0)
    made.joined("client", 1)
    made.joined("reader", 1)
    return made


def drop(call: Call) -> ReadingSessionEvent:
    db.session.rollback()
    return db.session.scalars(
        select(ReadingSessionEvent).where(
            ReadingSessionEvent.reading_session_id == call.id, ReadingSessionEvent.action == "drop"
        )
    ).one()


def keys(call: Call) -> list[str]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(LedgerTransaction.idempotency_key)
            .where(LedgerTransaction.kind == "fair_credit")
            .order_by(LedgerTransaction.id)
        )
    )


def test_who_left_the_channel_dropped_then_though_the_page_beats_on(call: Call) -> None:
    call.beats(10, 80)
    call.left("reader", 75)
    call.beats(90, 100)
    assert call.watch(105)["paused"] == 0
    assert call.watch(106)["paused"] == 1
    session = call.session
    assert (session.state, session.pause_cause, session.paused_at) == ("paused", "reader_dropped", at(75))
    assert (session.minutes_billed, session.kept_microseconds) == (2, 45_000_000)
    event = drop(call)
    assert (event.details["witness"], event.details["why"]) == ("agora", 2)
    call.expire(75 + 300)
    assert call.finalize(376)["finalized"] == 1
    # Served: 75 seconds at five cents.
    assert call.wallet == Decimal("50.00") - Decimal("3.75")
    assert keys(call) == [f"reading:{call.id}:fair_credit"]
    assert ledger_check.check() == []


def test_back_within_the_time_out_is_no_drop_and_costs_as_if_nothing_was(call: Call) -> None:
    call.beats(10, 40)
    call.left("reader", 40, sequence=None)
    call.joined("reader", 70)
    call.beats(50, 110)
    assert call.watch(115)["settled"] == 0 or call.session.state == "active"
    call.do("end", "client", 115)
    assert call.finalize(116)["finalized"] == 1
    assert (call.session.minutes_billed, call.session.credit_cents) == (2, 0)


def test_another_device_takes_over_and_nobody_is_gone(call: Call) -> None:
    call.left("client", 20, reason=5)
    call.beats(10, 110)
    call.watch(110)
    call.do("end", "client", 115)
    call.finalize(116)
    assert (call.session.state, call.session.credit_cents) == ("finalized", 0)


def test_a_notice_that_comes_late_pauses_from_what_is_paid_and_gives_the_rest_back(call: Call) -> None:
    call.beats(10, 150)
    assert call.session.minutes_billed == 3
    covered = call.session.covered_until
    call.left("reader", 50, received=155)
    session = call.session
    assert (session.state, session.pause_cause, session.paused_at) == ("paused", "reader_dropped", covered)
    call.expire(600)
    assert call.finalize(601)["finalized"] == 1
    # Fifty seconds were served, and the bill is as if the notice had come at once.
    assert call.wallet == Decimal("47.50")
    assert keys(call) == [f"reading:{call.id}:fair_credit", f"reading:{call.id}:fair_credit:unserved"]
    assert call.session.cost == Decimal("2.50")
    assert call.session.earned == call.earnings
    assert ledger_check.check() == []


def test_between_end_and_receipt_it_is_counted_in(call: Call) -> None:
    call.beats(10, 110)
    call.do("end", "client", 115)
    call.left("reader", 60, received=116)
    assert call.finalize(117)["finalized"] == 1
    # The client ended it, so the last minute's rest stays paid; the reader was out at the end, so it does not.
    assert (call.session.minutes_billed, call.session.cost) == (2, Decimal("3.00"))
    assert ledger_check.check() == []


def test_after_the_receipt_the_receipt_stands_and_a_refund_stands_beneath_it(call: Call) -> None:
    call.beats(10, 110)
    call.do("end", "client", 115)
    assert call.finalize(117)["finalized"] == 1
    late = call.body("reader", 108, 60, reason=10)
    assert call.notify(late, 900)
    assert not call.notify(late, 901)
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.origin, refund.amount, refund.state) == ("evidence", Decimal("3.00"), "settled")
    assert call.wallet == Decimal("47.00")
    found = receipts.receipt(call.session, Role.CLIENT)
    assert (found.total, found.left) == (Decimal("6.00"), Decimal("3.00"))
    assert call.session.credit_cents == 0
    # More evidence gives back only what is more; less takes nothing back from anybody.
    call.left("client", 30, received=1000)
    assert call.wallet == Decimal("48.50")
    call.joined("reader", 61, received=1001)
    assert call.wallet == Decimal("48.50")
    assert ledger_check.check() == []


def test_the_clients_own_drop_costs_as_if_told_at_once(app: Flask) -> None:
    prompt, late = Call(app).start(0), Call(app).start(0)
    for call in (prompt, late):
        call.joined("client", 1)
        call.beats(10, 60)
    late.beats(70, 200)
    late.do("end", "reader", 205)
    late.left("client", 65, received=207)
    prompt.left("client", 65)
    prompt.beats(70, 90)
    prompt.watch(96)
    prompt.expire(600)
    for call in (prompt, late):
        call.finalize(700)
    assert prompt.wallet == late.wallet == Decimal("44.00")
    assert prompt.earnings == late.earnings
    assert ledger_check.check() == []


def test_both_out_at_once_is_the_platforms_fault(call: Call) -> None:
    call.beats(10, 40)
    call.left("client", 45)
    call.left("reader", 45)
    call.beats(50, 70)
    call.watch(76)
    # The minute that a beat paid at 70 stays paid; what was not served of it is given back with the kept time.
    assert (call.session.pause_cause, call.session.paused_at) == ("platform", at(70))
    call.expire(400)
    call.finalize(401)
    assert call.wallet == Decimal("47.75")
    assert ledger_check.check() == []


def test_silence_before_the_leave_stands(call: Call) -> None:
    call.beats(10, 40)
    call.beats(50, 90, "client")
    # The reader's page fell silent at 40; that Agora lost it at 60 makes nothing later.
    call.left("reader", 60)
    call.beats(100, 100, "client")
    assert (call.session.pause_cause, call.session.paused_at) == ("reader_dropped", at(40))


def test_what_happens_to_the_channel_of_a_written_reading_moves_nothing(app: Flask) -> None:
    call = Call(app, modality="text").start(0)
    call.left("reader", 20)
    call.beats(10, 110)
    call.watch(100)
    call.do("end", "client", 115)
    call.finalize(116)
    assert (call.session.minutes_billed, call.session.credit_cents) == (2, 0)


def test_coming_and_going_in_a_loop_ends_by_the_rule_and_bills_what_was_served(call: Call) -> None:
    call.beats(10, 20)
    second = 20.0
    for _ in range(6):
        call.left("reader", second)
        call.beats(second + 10, second + 30)
        call.watch(second + 31)
        assert call.session.state == "paused"
        if call.session.reconnects == 5:
            with pytest.raises(TooManyReconnects):
                call.do("reconnect", "reader", second + 32)
            break
        call.do("reconnect", "reader", second + 32)
        call.beat("client", second + 33)
        call.do("join", "reader", second + 34)
        call.joined("reader", second + 35)
        second += 40
    session = call.session
    assert (session.state, session.end_reason) == ("ended", "too_many_reconnects")
    call.finalize(second + 100)
    # Twenty seconds, and six after each return.
    assert call.wallet == Decimal("50.00") - (20 + 5 * 6) * Decimal("0.05")
    assert ledger_check.check() == []


def test_within_the_time_out_of_the_end_a_leave_is_only_hanging_up(call: Call) -> None:
    call.beats(10, 110)
    call.left("reader", 100, reason=1)
    call.do("end", "client", 115)
    call.finalize(116)
    assert call.session.credit_cents == 0
    assert call.session.ended_at - at(100) < timedelta(seconds=30)


def test_whole_minutes_that_were_not_served_cost_the_reader_no_more_than_they_brought(app: Flask) -> None:
    # 70 % of 1.02 is 0.714: three minutes bring 2.13, not 2.14.
    call = Call(app, rate="1.02").start(0)
    call.joined("client", 1)
    call.joined("reader", 1)
    call.beats(10, 150)
    assert call.session.earned == Decimal("2.13")
    call.left("reader", 5, received=155)
    call.expire(600)
    assert call.finalize(601)["finalized"] == 1
    # Five seconds were served: 0.08, of which 0.06 are the reader's.
    assert (call.session.cost, call.session.earned, call.earnings) == (
        Decimal("0.08"), Decimal("0.06"), Decimal("0.06"),
    )  # fmt: skip
    found, _ = history.found(call.person("reader"), Role.READER, history.Sought(most=Decimal("0.06")))
    assert [line.id for line in found] == [call.id]
    assert ledger_check.check() == []
