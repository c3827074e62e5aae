"""What two servers said, put side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.sandbox.cross_check.asking import ABSENT, OUTCOME, Facts


@dataclass(frozen=True)
class Difference:
    """What ours says, what the other says, and why that stands."""

    ours: Any
    theirs: Any
    why: str


def differences(ours: Facts, theirs: Facts) -> dict[str, tuple[Any, Any]]:
    """Where they disagree. Where one of them refuses what the other does, that is the difference, and its fields are none."""
    names = ours.keys() | theirs.keys()
    found = {
        name: (ours.get(name, ABSENT), theirs.get(name, ABSENT))
        for name in names
        if ours.get(name, ABSENT) != theirs.get(name, ABSENT)
    }
    parts = tuple(name.removesuffix(OUTCOME) for name in found if name.endswith(f".{OUTCOME}"))
    return {
        name: pair
        for name, pair in found.items()
        if name.endswith(f".{OUTCOME}") or not name.startswith(parts)
    }


def without_codes(found: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """Leave out where the other refuses just so but for the last word, the error's code."""
    return {
        name: (ours, theirs)
        for name, (ours, theirs) in found.items()
        if not (name.endswith(f".{OUTCOME}") and str(ours).rpartition(" ")[0] == theirs)
    }
