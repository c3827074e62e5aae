"""Faults on demand: what goes wrong next, counted down as it happens. Held in memory, so a restart clears them."""

import threading
from dataclasses import asdict, dataclass, field, fields
from typing import Any

_MOST = 1_000_000
_LONGEST_SECONDS = 3600.0


@dataclass
class CountedFault:
    """A fault that strikes the next `count` API calls."""

    count: int = 0
    status: int = 500
    seconds: float = 0.0


@dataclass
class FaultPlan:
    """See docs in `FAULT_HELP`; counts are how many are still to come."""

    drop_webhooks: int = 0
    duplicate_webhooks: int = 0
    delay_seconds: float = 0.0
    fail_api: CountedFault = field(default_factory=CountedFault)
    delay_api: CountedFault = field(default_factory=CountedFault)
    timeout_after_effect: int = 0


FAULT_HELP = {
    "drop_webhooks": "the next n events are never delivered (the events list still has them)",
    "duplicate_webhooks": "the next n events are delivered twice",
    "delay_seconds": "every event from now on is delivered this many seconds late; 0 ends it",
    "fail_api": '{"status": 500, "count": n}: the next n API calls fail before anything is done',
    "delay_api": '{"seconds": s, "count": n}: the next n API calls take s seconds longer',
    "timeout_after_effect": "the next n API POSTs are done, and their connection is cut without an answer",
}


class Faults:
    """The faults in force, changed by tests and consumed by the stand-in."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._plan = FaultPlan()

    def document(self) -> dict[str, Any]:
        with self._guard:
            return asdict(self._plan)

    def clear(self) -> None:
        with self._guard:
            self._plan = FaultPlan()

    def set(self, wanted: object) -> None:
        """Merge the given faults into those in force. Raises ValueError naming the field at fault."""
        if not isinstance(wanted, dict):
            raise ValueError("a JSON object is expected")
        known = {item.name for item in fields(FaultPlan)}
        if unknown := sorted(set(wanted) - known):
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        checked = {name: _checked(name, value) for name, value in wanted.items()}
        with self._guard:
            for name, value in checked.items():
                setattr(self._plan, name, value)

    def take(self, name: str) -> bool:
        """Whether the counted fault `name` strikes now; each strike uses one up."""
        with self._guard:
            left = int(getattr(self._plan, name))
            if left > 0:
                setattr(self._plan, name, left - 1)
            return left > 0

    def take_call(self, name: str) -> CountedFault | None:
        """The API fault `name` if it strikes now."""
        with self._guard:
            fault: CountedFault = getattr(self._plan, name)
            if fault.count <= 0:
                return None
            fault.count -= 1
            return CountedFault(1, fault.status, fault.seconds)

    def plan_deliveries(self) -> list[tuple[str, float]]:
        """State and delay of each delivery that a new event gets."""
        delay = float(self.document()["delay_seconds"])
        if self.take("drop_webhooks"):
            return [("dropped", delay)]
        return [("pending", delay)] * (2 if self.take("duplicate_webhooks") else 1)


def _checked(name: str, value: object) -> int | float | CountedFault:
    if name in ("fail_api", "delay_api"):
        if not isinstance(value, dict) or set(value) - {"status", "count", "seconds"}:
            raise ValueError(f"{name}: an object with count and status or seconds is expected")
        return CountedFault(
            count=int(_number(name, value.get("count", 1), _MOST, whole=True)),
            status=int(_number(name, value.get("status", 500), 599, whole=True)),
            seconds=_number(name, value.get("seconds", 0), _LONGEST_SECONDS),
        )
    if name == "delay_seconds":
        return _number(name, value, _LONGEST_SECONDS)
    return int(_number(name, value, _MOST, whole=True))


def _number(name: str, value: object, most: float, *, whole: bool = False) -> float:
    right_type = isinstance(value, int) or (isinstance(value, float) and not whole)
    if isinstance(value, bool) or not right_type or not 0 <= value <= most:  # type: ignore[operator]
        raise ValueError(f"{name}: a number from 0 to {most:g} is expected")
    return float(value)  # type: ignore[arg-type]
