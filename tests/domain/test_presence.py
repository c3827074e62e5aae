"""judge(): from the last signs of life to what was served to both, and to who has dropped (design §4, Presence)."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soulseer.domain.presence import Verdict, judge
from soulseer.domain.readings import PauseCause, Role
from tests.factories import START

TIMEOUT = timedelta(seconds=30)
LONG_AGO = START - timedelta(days=1)
CLIENT, READER = Role.CLIENT, Role.READER
BOTH = frozenset({CLIENT, READER})


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def verdict(
    now: float,
    covered: float,
    client: float | None,
    reader: float | None,
    *,
    since: float | None = None,
    caller: Role | None = None,
    closing: bool = False,
) -> Verdict:
    seen = {CLIENT: None if client is None else at(client), READER: None if reader is None else at(reader)}
    return judge(
        at(now),
        at(covered),
        seen,
        LONG_AGO if since is None else at(since),
        TIMEOUT,
        caller=caller,
        closing=closing,
    )


def test_cover_is_the_earlier_of_the_last_signs() -> None:
    assert verdict(100, 0, 80, 95) == Verdict(at(80), frozenset())


def test_the_callers_sign_counts_at_once_and_leaves_the_others_where_it_was() -> None:
    assert verdict(100, 0, 80, 90, caller=CLIENT) == Verdict(at(90), frozenset())


def test_a_sign_from_the_future_covers_until_now_only() -> None:
    assert verdict(100, 0, 130, 120) == Verdict(at(100), frozenset())


def test_cover_never_moves_back() -> None:
    assert verdict(100, 90, 80, 85).covered_until == at(90)


def test_a_gap_of_exactly_the_time_out_is_none_and_a_microsecond_more_is_a_drop() -> None:
    assert verdict(100, 0, 70, 95) == Verdict(at(70), frozenset())
    assert verdict(100.000001, 0, 70, 95) == Verdict(at(70), frozenset({CLIENT}))


@pytest.mark.parametrize(
    ("client", "reader", "cause", "covered"),
    [
        (50, 95, PauseCause.CLIENT_DROPPED, 50),
        (95, 50, PauseCause.READER_DROPPED, 50),
        (50, 60, PauseCause.PLATFORM, 50),
        (80, 90, None, 80),
    ],
)
def test_one_silent_has_dropped_and_both_silent_is_the_platforms_fault(
    client: float, reader: float, cause: PauseCause | None, covered: float
) -> None:
    found = verdict(100, 0, client, reader)
    assert (found.cause, found.covered_until) == (cause, at(covered))


def test_the_caller_after_a_gap_has_dropped_as_of_the_sign_before_it() -> None:
    assert verdict(100, 0, 50, 95, caller=CLIENT) == Verdict(at(50), frozenset({CLIENT}))


def test_an_explicit_end_covers_until_now_unless_the_other_is_silent() -> None:
    assert verdict(100, 0, 95, 75, caller=CLIENT, closing=True) == Verdict(at(100), frozenset())
    assert verdict(100, 0, 95, 60, caller=CLIENT, closing=True) == Verdict(at(60), frozenset({READER}))


def test_nobody_is_silent_on_a_memory_younger_than_the_time_out() -> None:
    assert verdict(100, 20, None, None, since=70) == Verdict(at(20), frozenset())
    assert verdict(100, 20, None, None, since=69.999) == Verdict(at(20), BOTH)


def test_a_lost_memory_excuses_only_those_it_has_lost() -> None:
    assert verdict(100, 20, 60, None, since=75) == Verdict(at(20), frozenset({CLIENT}))


SECONDS = st.floats(min_value=0, max_value=300, allow_nan=False).map(lambda value: round(value, 3))


@given(
    SECONDS, SECONDS, st.none() | SECONDS, st.none() | SECONDS, SECONDS,
    st.sampled_from([None, CLIENT, READER]), st.booleans(),
)  # fmt: skip
def test_cover_is_never_after_now_never_moves_back_and_waits_for_the_silent(
    now: float,
    covered: float,
    client: float | None,
    reader: float | None,
    since: float,
    caller: Role | None,
    closing: bool,
) -> None:
    now = max(now, covered)
    found = verdict(now, covered, client, reader, since=since, caller=caller, closing=closing)
    assert at(covered) <= found.covered_until <= at(now)
    for role, sign in ((CLIENT, client), (READER, reader)):
        if role in found.silent:
            assert found.covered_until <= max(at(covered), at(sign or 0))
            assert at(now) - max(at(covered), at(sign or 0)) > TIMEOUT
    if closing and not found.silent:
        unknown = [role for role, sign in ((CLIENT, client), (READER, reader)) if sign is None]
        assert unknown or found.covered_until == at(now)
