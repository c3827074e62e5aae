"""The active stretches of a reading and the pauses between them, from its moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from soulseer.domain.readings import PauseCause, State
from soulseer.models.readings import ReadingSessionEvent

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Stretch:
    """Time from ``since`` to ``until`` (None: it goes on); with ``cause`` it is a pause, else it was active."""

    since: datetime
    until: datetime | None
    cause: PauseCause | None = None


def of_events(events: Sequence[ReadingSessionEvent]) -> list[Stretch]:
    """The active stretches and the pauses between them, by the moves' effective instants."""
    found: list[Stretch] = []
    since: datetime | None = None
    cause: PauseCause | None = None
    for event in events:
        before, after = event.from_state, event.to_state
        if after == before or after not in (State.ACTIVE, State.PAUSED, State.ENDED):
            continue
        if since is not None:
            found.append(Stretch(since, event.effective_at, cause))
        since, cause = (None, None) if after == State.ENDED else (event.effective_at, None)
        if after == State.PAUSED:
            cause = PauseCause(event.cause) if event.cause else PauseCause.PLATFORM
    if since is not None:
        found.append(Stretch(since, None, cause))
    return found


def minute_began(minute: int, found: Sequence[Stretch]) -> datetime | None:
    """The instant at which the time of minute ``minute`` (from 1) began; None where the stretches do not reach it."""
    left = (minute - 1) * MINUTE
    for stretch in found:
        if stretch.cause is not None:
            continue
        if stretch.until is None or left < stretch.until - stretch.since or (minute == 1 and not left):
            return stretch.since + left
        left -= stretch.until - stretch.since
    return None
