"""The states of a reading session: every pair of state and action is either in the table or refused, and the
database's own guard allows exactly the same moves."""

import itertools

import psycopg
import pytest
from flask import Flask

from soulseer.domain.errors import IllegalMove
from soulseer.domain.readings import (
    LEGAL_PAIRS,
    LIVE,
    Action,
    EndReason,
    PauseCause,
    Role,
    State,
    credit_is_due,
    minutes_for,
    next_state,
)
from tests.readings.room import Room

# Design §4, written down a second time: (from, action) → to. "request" makes the row and moves nothing.
TABLE = {
    "created": {"open": "waiting", "end": "ended"},
    "waiting": {
        "join": "waiting",
        "activate": "active",
        "no_answer": "ended",
        "decline": "ended",
        "end": "ended",
    },
    "active": {
        "leave": "paused",
        "drop": "paused",
        "low_balance": "paused",
        "ceiling": "paused",
        "end": "ended",
    },
    "paused": {"reconnect": "reconnecting", "expire": "ended", "end": "ended"},
    "reconnecting": {"join": "reconnecting", "resume": "active", "expire": "ended", "end": "ended"},
    "ended": {"finalize": "finalized"},
    "finalized": {},
}


@pytest.mark.parametrize(("state", "action"), list(itertools.product(State, Action)))
def test_every_pair_is_a_legal_move_or_refused(state: State, action: Action) -> None:
    expected = TABLE[state.value].get(action.value)
    if expected is None:
        with pytest.raises(IllegalMove) as refused:
            next_state(state, action)
        assert (refused.value.status, refused.value.code) == (409, "illegal_move")
        assert refused.value.extra["state"] == state.value
    else:
        assert next_state(state, action) == expected


def test_from_every_live_state_one_can_end_and_from_no_other() -> None:
    ends = {state for state in State if "end" in TABLE[state.value]}
    assert ends == LIVE == {"created", "waiting", "active", "paused", "reconnecting"}


# What a row must hold beside its state, so that only the guard of moves can refuse the change.
_FITTING = """
UPDATE reading_session SET state = %(state)s::varchar,
    active_since = CASE WHEN %(state)s::varchar = 'active' THEN created_at END,
    paid_until = created_at, covered_until = created_at, grace_until = created_at, pause_cause = 'platform',
    ended_at = CASE WHEN %(state)s::varchar IN ('ended', 'finalized') THEN created_at END,
    end_reason = CASE WHEN %(state)s::varchar IN ('ended', 'finalized') THEN 'system_ended' END,
    finalized_at = CASE WHEN %(state)s::varchar = 'finalized' THEN created_at END
"""


def test_the_database_allows_exactly_the_moves_of_the_table(
    app: Flask, environment: dict[str, str], superuser: psycopg.Connection
) -> None:
    Room()
    allowed = set()
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        for before, after in itertools.permutations(State, 2):
            with superuser.transaction():
                superuser.execute("SET LOCAL session_replication_role = replica")
                superuser.execute(_FITTING, {"state": before.value})
            if _refusal(connection, after) is None:
                allowed.add((before, after))
            else:
                assert _refusal(connection, after) == "reading_session_state_moves"
    assert allowed == LEGAL_PAIRS


def _refusal(connection: psycopg.Connection, after: State) -> str | None:
    """The constraint that refuses the move, None where it was made."""
    try:
        connection.execute(_FITTING, {"state": after.value})
    except psycopg.errors.IntegrityError as refused:
        return refused.diag.constraint_name
    return None


@pytest.mark.parametrize("cause", [None, *PauseCause])
@pytest.mark.parametrize("ended_by", Role)
def test_fair_credit_is_kept_from_the_client_only_for_what_was_the_clients_own(
    ended_by: Role, cause: PauseCause | None
) -> None:
    own = cause in ("client_left", "client_dropped", "low_balance", "ceiling")
    assert credit_is_due(ended_from_active=True, ended_by=ended_by, cause=cause) == (
        ended_by is not Role.CLIENT
    )
    assert credit_is_due(ended_from_active=False, ended_by=ended_by, cause=cause) == (
        cause is not None and not own
    )


@pytest.mark.parametrize(
    ("microseconds", "minutes"),
    [
        (0, 1),
        (1, 1),
        (59_999_999, 1),
        (60_000_000, 1),
        (60_000_001, 2),
        (120_000_000, 2),
        (3_600_000_001, 61),
    ],
)
def test_minutes_are_active_time_rounded_up_and_at_least_one(microseconds: int, minutes: int) -> None:
    assert minutes_for(microseconds, was_active=True) == minutes
    assert minutes_for(0, was_active=False) == 0


def test_every_end_is_said_by_one_reason_each() -> None:
    assert {reason.value for reason in EndReason} == {
        *("client_ended", "reader_ended", "staff_ended", "system_ended"),
        *("no_answer", "declined", "grace_over", "too_many_reconnects"),
    }
