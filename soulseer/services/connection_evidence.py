"""A session's connections for staff: what each side's pages measured, what Agora told, what was not served."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from soulseer.domain import policies
from soulseer.domain.connections import REASONS, Absence, Notice, Sample
from soulseer.domain.money import from_cents
from soulseer.models.readings import ReadingSession, ReadingSessionEvent
from soulseer.services import connection_samples, connections

Number = TypeVar("Number", int, Decimal)


@dataclass(frozen=True)
class Measured:
    """One side in sum: medians of milliseconds, percent and kilobits a second, None where nothing was told; ``lost``
    counts the beats that called the connection lost, ``holes`` are stretches without any."""

    role: str
    count: int
    tabs: int
    round_trip_ms: int | None
    loss_percent: Decimal | None
    bitrate_kbps: int | None
    jitter_ms: int | None
    freezes: int
    lost: int
    holes: tuple[tuple[datetime, datetime], ...]


@dataclass(frozen=True)
class Evidence:
    """``credit`` is all that the session owes by it, dollars, fair credit of kept time included; ``samples`` by role."""

    measured: Sequence[Measured]
    notices: Sequence[Notice]
    out: Sequence[Absence]
    credit: Decimal
    reasons: dict[int, str]
    samples: Mapping[str, Sequence[Sample]]


def of(session: ReadingSession, events: Sequence[ReadingSessionEvent] | None = None) -> Evidence:
    """Everything that is kept of the session's connections. Three statements, two where ``events`` were read before."""
    samples = connection_samples.of(session.id)
    found = connections.finding(session, events, samples)
    timeout = policies.current().reading.presence_timeout
    measured = [_sum(role, told, timeout) for role, told in samples.items() if told]
    return Evidence(measured, found.notices, found.out, from_cents(found.credit_cents), REASONS, samples)


def _sum(role: str, samples: Sequence[Sample], timeout: timedelta) -> Measured:
    pairs = itertools.pairwise(samples)
    return Measured(
        role=role,
        count=len(samples),
        tabs=len({sample.tab for sample in samples}),
        round_trip_ms=_median([sample.round_trip_ms for sample in samples]),
        loss_percent=_median([sample.loss_percent for sample in samples]),
        bitrate_kbps=_median([sample.bitrate_kbps for sample in samples]),
        jitter_ms=_median([sample.jitter_ms for sample in samples]),
        freezes=max((sample.freezes or 0 for sample in samples), default=0),
        lost=sum(sample.quality == "lost" for sample in samples),
        holes=tuple((before.at, after.at) for before, after in pairs if after.at - before.at > timeout),
    )


def _median(values: Sequence[Number | None]) -> Number | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None
