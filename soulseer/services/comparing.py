"""What we recorded beside what Stripe says: every difference in words, for an alert or a quarantined event."""

from collections.abc import Mapping
from typing import Any

LONGEST = 300


def differing(expected: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """Where Stripe's own answer is other than recorded; ``expected`` is (recorded, at Stripe) by name."""
    return [
        f"{name}: recorded {ours!r}, at Stripe {theirs!r}"
        for name, (ours, theirs) in expected.items()
        if ours != theirs
    ]


def contradicted(expected: Mapping[str, tuple[Any, Any]], *, silence_agrees: bool) -> list[str]:
    """Where an event says other than recorded; ``expected`` is (recorded, said) by name.

    ``silence_agrees``: what the event leaves out (None) is no contradiction, since Stripe is asked for it. An amount of
    25.0 or True is one, though equal to Python: only a whole number is an amount.
    """
    return [
        f"{name}: recorded {ours!r}, the event says {theirs!r}"[:LONGEST]
        for name, (ours, theirs) in expected.items()
        if (type(theirs) is not type(ours) or theirs != ours) and not (silence_agrees and theirs is None)
    ]
