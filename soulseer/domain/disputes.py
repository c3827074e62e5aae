"""States of a dispute as Stripe names them, and which of two words about one dispute is the later one."""

from enum import StrEnum


class DisputeState(StrEnum):
    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    PREVENTED = "prevented"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    LOST = "lost"
    WON = "won"


# A dispute moves down this list only. Two workers may have asked Stripe at different instants: what stands further up
# is the older word, whichever of them records it last. An inquiry may become a dispute even after it was closed.
ORDER = tuple(DisputeState)
MOVES = tuple((before, after) for place, before in enumerate(ORDER) for after in ORDER[place + 1 :])

# Inquiries and what was settled before it became a dispute: no money moves, nothing is frozen.
INQUIRIES = frozenset(ORDER[: ORDER.index(DisputeState.NEEDS_RESPONSE)])
# The bank has not decided: nothing may be spent.
OPEN = frozenset({DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW})
# The money is away.
HELD = OPEN | {DisputeState.LOST}
CLOSED = frozenset({DisputeState.WARNING_CLOSED, DisputeState.PREVENTED, DisputeState.WON, DisputeState.LOST})
# Stripe takes evidence, or an acceptance, in these.
ANSWERABLE = frozenset({DisputeState.WARNING_NEEDS_RESPONSE, DisputeState.NEEDS_RESPONSE})


def is_later(state: DisputeState, than: DisputeState) -> bool:
    """Whether ``state`` is a later word on a dispute than ``than``."""
    return ORDER.index(state) > ORDER.index(than)
