"""States and moves of a reading session (design §4): one enum each, one pure function."""

from enum import StrEnum

from soulseer.domain.errors import IllegalMove


class Modality(StrEnum):
    TEXT = "text"
    VOICE = "voice"
    VIDEO = "video"


class State(StrEnum):
    CREATED = "created"
    WAITING = "waiting"
    ACTIVE = "active"
    PAUSED = "paused"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    FINALIZED = "finalized"


LIVE = frozenset({State.CREATED, State.WAITING, State.ACTIVE, State.PAUSED, State.RECONNECTING})


class Action(StrEnum):
    REQUEST = "request"
    OPEN = "open"
    JOIN = "join"
    ACTIVATE = "activate"
    LEAVE = "leave"
    DROP = "drop"
    LOW_BALANCE = "low_balance"
    CEILING = "ceiling"
    SET_CEILING = "set_ceiling"
    RECONNECT = "reconnect"
    RESUME = "resume"
    END = "end"
    NO_ANSWER = "no_answer"
    DECLINE = "decline"
    EXPIRE = "expire"
    FINALIZE = "finalize"


class Role(StrEnum):
    """Who acts in a reading session."""

    CLIENT = "client"
    READER = "reader"
    STAFF = "staff"
    SYSTEM = "system"


class PauseCause(StrEnum):
    """Why a session stands still, and through whom."""

    CLIENT_LEFT = "client_left"
    READER_LEFT = "reader_left"
    CLIENT_DROPPED = "client_dropped"
    READER_DROPPED = "reader_dropped"
    LOW_BALANCE = "low_balance"
    # The limit that the client set was reached (services/ceilings.py).
    CEILING = "ceiling"
    PLATFORM = "platform"
    # Somebody's words told of a crisis, or one asked for help: the house stopped the clock (Action.LEAVE by the system).
    CRISIS = "crisis"
    # Staff stopped all billing (services/billing_stops.py); the pause is made by the house (Action.LEAVE by the system).
    BILLING_STOPPED = "billing_stopped"


class CeilingKind(StrEnum):
    """What a client limits."""

    MINUTES = "minutes"
    MONEY = "money"


class EndReason(StrEnum):
    CLIENT_ENDED = "client_ended"
    READER_ENDED = "reader_ended"
    STAFF_ENDED = "staff_ended"
    SYSTEM_ENDED = "system_ended"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    GRACE_OVER = "grace_over"
    TOO_MANY_RECONNECTS = "too_many_reconnects"


# The client's own doing: what was paid and not used is not given back (design §4, rule 7).
CLIENTS_OWN = frozenset(
    {PauseCause.CLIENT_LEFT, PauseCause.CLIENT_DROPPED, PauseCause.LOW_BALANCE, PauseCause.CEILING}
)

MOVES: dict[tuple[State, Action], State] = {
    (State.CREATED, Action.OPEN): State.WAITING,
    (State.WAITING, Action.JOIN): State.WAITING,
    (State.WAITING, Action.ACTIVATE): State.ACTIVE,
    (State.WAITING, Action.NO_ANSWER): State.ENDED,
    (State.WAITING, Action.DECLINE): State.ENDED,
    (State.ACTIVE, Action.LEAVE): State.PAUSED,
    (State.ACTIVE, Action.DROP): State.PAUSED,
    (State.ACTIVE, Action.LOW_BALANCE): State.PAUSED,
    (State.ACTIVE, Action.CEILING): State.PAUSED,
    (State.PAUSED, Action.RECONNECT): State.RECONNECTING,
    (State.RECONNECTING, Action.JOIN): State.RECONNECTING,
    (State.RECONNECTING, Action.RESUME): State.ACTIVE,
    (State.PAUSED, Action.EXPIRE): State.ENDED,
    (State.RECONNECTING, Action.EXPIRE): State.ENDED,
    (State.ENDED, Action.FINALIZE): State.FINALIZED,
    **{(state, Action.END): State.ENDED for state in LIVE},
}

# What the database's own guard allows: every (from, to) pair above.
LEGAL_PAIRS = frozenset((before, after) for (before, _), after in MOVES.items() if before is not after)


def next_state(state: State, action: Action) -> State:
    """The state that ``action`` leads to. Raises IllegalMove and changes nothing where the table has none."""
    try:
        return MOVES[state, action]
    except KeyError:
        raise IllegalMove(
            f"A reading that is {state} does not allow “{action}”.", state=state.value
        ) from None


def credit_is_due(*, ended_from_active: bool, ended_by: Role, cause: PauseCause | None) -> bool:
    """Fair credit (design §4, rule 7): kept time is given back unless the client ended an active session, or the
    pause was the client's own or low balance."""
    if ended_from_active:
        return ended_by is not Role.CLIENT
    return cause is not None and cause not in CLIENTS_OWN


def minutes_for(active_microseconds: int, *, was_active: bool) -> int:
    """Minutes that a session must have been charged: 0 if never active, else max(1, ceil(active seconds / 60))."""
    if not was_active:
        return 0
    return max(1, -(-active_microseconds // 60_000_000))
