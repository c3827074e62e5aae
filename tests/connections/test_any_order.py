"""Whatever order Agora's notices come in, and however often: who was there, and what it costs, is the same."""

from datetime import timedelta
from decimal import Decimal

from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from soulseer import gateways
from soulseer.domain.connections import (
    Absence,
    Notice,
    Span,
    absences,
    credit_due,
    length,
    ordered,
    stronger,
    unserved,
)
from soulseer.domain.money import credit_for
from soulseer.domain.presence import Verdict
from soulseer.domain.readings import Role
from soulseer.services import ledger_check
from tests.connections.channel import JOINED, LEFT, Call
from tests.readings.room import at

TIMEOUT = timedelta(seconds=30)


@st.composite
def told(draw: st.DrawFn, longest: int = 300) -> list[Notice]:
    """What happened in a channel: each person's leaves and returns, with Agora's sequence or without."""
    found = []
    for role in (Role.CLIENT, Role.READER):
        numbered = draw(st.booleans())
        seconds = sorted(draw(st.lists(st.integers(1, longest), max_size=5, unique=True)))
        for number, second in enumerate(seconds):
            joined = number % 2 == 1
            found.append(
                Notice(
                    role,
                    joined,
                    at(second),
                    number if numbered else None,
                    None if joined else draw(st.sampled_from([1, 2, 5, 10])),
                    f"{role}:{number}",
                )
            )
    return found


@given(notices=told(), seed=st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_order_and_copies_change_nothing(notices: list[Notice], seed: object) -> None:
    shuffled = [*notices]
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    # The inbox keeps a notice once; the order that it was kept in is all that differs.
    assert absences(shuffled) == absences(notices)
    out = unserved([Span(at(0), at(300), at(300))], absences(shuffled), TIMEOUT)
    for absence in out:
        assert absence.until is not None
        assert absence.until - absence.since > TIMEOUT
        assert absence.reason != 5
    assert 0 <= length(out) <= 300_000_000


@given(
    out=st.lists(
        st.tuples(
            st.sampled_from([Role.CLIENT, Role.READER, None]), st.integers(0, 500), st.integers(31, 400)
        ),
        max_size=4,
    ),
    active=st.integers(1, 900_000_000),
    rate=st.sampled_from([1, 199, 300, 399]),
    due=st.booleans(),
)
@settings(max_examples=60)
def test_the_credit_is_never_more_than_was_paid_nor_less_than_the_others_absence(
    out: list[tuple[Role | None, int, int]], active: int, rate: int, due: bool
) -> None:
    end = at(0) + timedelta(microseconds=active)
    absent = [
        Absence(role, at(first), min(end, at(first + lasts))) for role, first, lasts in out if at(first) < end
    ]
    minutes = max(1, -(-active // 60_000_000))
    credit = credit_due(
        rate_cents=rate,
        minutes=minutes,
        active_microseconds=active,
        out=absent,
        last_active=end,
        kept_is_due=due,
    )
    others = length([absence for absence in absent if absence.role is not Role.CLIENT])
    assert credit_for(rate, others) <= credit <= minutes * rate


def test_agoras_sequence_goes_before_its_clock() -> None:
    left = Notice(Role.READER, False, at(11), 7)
    back = Notice(Role.READER, True, at(10), 8)
    assert ordered([back, left]) == [left, back]
    assert absences([back, left]) == [Absence(Role.READER, at(11), at(11))]
    unnumbered = [Notice(Role.READER, True, at(10)), Notice(Role.READER, False, at(11))]
    assert absences(reversed(unnumbered)) == [Absence(Role.READER, at(11), None)]


def test_both_witnesses_in_one_verdict() -> None:
    alone = Verdict(at(50), frozenset())
    out = [Absence(Role.READER, at(20), None, 2)]
    assert stronger(alone, at(10), out) == Verdict(at(20), frozenset({Role.READER}))
    assert stronger(alone, at(30), out) == Verdict(at(30), frozenset({Role.READER}))
    earlier = Verdict(at(15), frozenset({Role.CLIENT}))
    assert stronger(earlier, at(10), out) == earlier
    assert stronger(alone, at(10), []) == alone


def played(app: Flask, happened: list[tuple[str, int, int]], deliveries: list[tuple[int, float]]) -> Call:
    """A call of 200 seconds that the client ends; ``happened``: (who, event, second), ``deliveries``: which of it comes
    when, copies included. Beats go on throughout; nobody comes back by the page."""
    call = Call(app, rate="3.00").start(0)
    payloads = [
        call.body(who, event, second, number=f"{call.id}:{place}", reason=2 if event == LEFT else None)
        for place, (who, event, second) in enumerate(happened)
    ]
    due = sorted(deliveries, key=lambda one: one[1])
    for second in range(5, 205, 5):
        while due and due[0][1] <= second:
            place, received = due.pop(0)
            call.notify(payloads[place], received)
        if second % 10 == 0:
            call.beat("client", second)
            call.beat("reader", second)
        if second % 30 == 25:
            call.watch(second)
    if call.session.state == "active":
        call.do("end", "client", 200)
    else:
        call.watch(700)
        call.expire(700)
    for place, received in due:
        call.notify(payloads[place], max(received, 201))
    call.finalize(900)
    return call


@given(
    left=st.integers(12, 160),
    away=st.none() | st.integers(1, 30),
    who=st.sampled_from(["client", "reader"]),
    copies=st.integers(1, 3),
    late=st.lists(st.integers(0, 260), min_size=6, max_size=6),
)
@settings(
    max_examples=16,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_told_late_shuffled_and_twice_it_costs_what_it_costs_told_at_once(
    app: Flask, left: int, away: int | None, who: str, copies: int, late: list[int]
) -> None:
    gateways.current().presence.redis.flushdb()
    happened = [(who, JOINED, 1), (who, LEFT, left)]
    if away is not None:
        happened.append((who, JOINED, left + away))
    prompt = played(app, happened, [(place, second) for place, (_, _, second) in enumerate(happened)])
    # A return is known before the leave is a drop, be it before the leave itself: a pause that was booked is not undone.
    latest = [260, 260, 30 - (away or 0)]
    deliveries = [
        (place, second + min(late[place * 2 + copy % 2], latest[place]))
        for place, (_, _, second) in enumerate(happened)
        for copy in range(copies)
    ]
    shuffled = played(app, happened, deliveries)
    expected = prompt.session.cost
    assert prompt.wallet == shuffled.wallet == Decimal("50.00") - expected
    assert prompt.earnings == shuffled.earnings == prompt.session.earned
    assert ledger_check.check() == []
