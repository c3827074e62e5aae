"""The one clock. Everything that is business asks here; a test, a simulation and a replay may set it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_set_to: ContextVar[datetime | None] = ContextVar("clock_set_to", default=None)


def now() -> datetime:
    """The present instant in UTC, or what ``set_to`` says."""
    return _set_to.get() or datetime.now(UTC)


@contextmanager
def set_to(instant: datetime | None) -> Iterator[None]:
    """Within the block, ``now()`` is ``instant`` (aware; None leaves the real clock)."""
    if instant is not None and instant.tzinfo is None:
        raise ValueError("the clock needs an instant with a time zone")
    token = _set_to.set(instant)
    try:
        yield
    finally:
        _set_to.reset(token)
