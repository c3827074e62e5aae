"""Who was in the call's channel, and which paid time was served to nobody (docs/room.md, Who was there). Pure.

What is told here is a function of the set of notices: order and repetition of their coming change nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from soulseer.domain.money import credit_for
from soulseer.domain.presence import PARTICIPANTS, Verdict
from soulseer.domain.readings import Role

MICROSECOND = timedelta(microseconds=1)
MINUTE_MICROSECONDS = 60_000_000

# Why somebody left the channel. Source: Agora, "Channel event types", field ``reason``.
REASONS = {
    1: "hung up",
    2: "nothing was heard of the connection for ten seconds",
    3: "was removed by SoulSeer",
    4: "Agora moved the connection to another server",
    5: "went on from another device",
    9: "the network address changed",
    10: "the network was lost",
    999: "came and went too often",
}
# Another device of the same person took the place over: nobody is gone.
TAKEN_OVER = 5


@dataclass(frozen=True)
class Notice:
    """``role`` came into (``joined``) or left the channel at ``at``, UTC; ``sequence`` orders one person's notices."""

    role: Role
    joined: bool
    at: datetime
    sequence: int | None = None
    reason: int | None = None
    id: str = ""
    received_at: datetime | None = None


@dataclass(frozen=True)
class Absence:
    """``role`` (None: nobody knows whose fault) was out of the call from ``since`` to ``until`` (None: for good)."""

    role: Role | None
    since: datetime
    until: datetime | None
    reason: int | None = None


@dataclass(frozen=True)
class Span:
    """An active stretch; ``judged_at`` is when its end was recorded, which may be later than ``until``."""

    since: datetime
    until: datetime
    judged_at: datetime


def ordered(notices: Iterable[Notice]) -> list[Notice]:
    """One person's notices as they happened: by Agora's sequence where each has one, else by their instants."""
    found = list(notices)
    if all(notice.sequence is not None for notice in found):
        return sorted(found, key=lambda n: (n.sequence or 0, n.at, n.joined, n.id))
    # Within one second, which is all that an instant tells, whoever came is there.
    return sorted(found, key=lambda n: (n.at, n.joined, n.id))


def absences(notices: Iterable[Notice]) -> list[Absence]:
    """The times between a leave and the next join, of each participant, the oldest first."""
    found = []
    everything = list(notices)
    for role in PARTICIPANTS:
        out: Notice | None = None
        for notice in ordered(n for n in everything if n.role is role):
            if not notice.joined and notice.reason != TAKEN_OVER:
                out = out or notice
            elif notice.joined and out is not None:
                found.append(Absence(role, out.at, max(out.at, notice.at), out.reason))
                out = None
        if out is not None:
            found.append(Absence(role, out.at, None, out.reason))
    return sorted(found, key=lambda absence: (absence.since, str(absence.role)))


def gone(
    notices: Iterable[Notice], active_since: datetime, at: datetime, timeout: timedelta
) -> list[Absence]:
    """Who left the channel within the stretch that began at ``active_since`` and is out for longer than ``timeout``."""
    return [
        absence
        for absence in absences(notices)
        if absence.until is None and absence.since >= active_since and at - absence.since > timeout
    ]


def stronger(verdict: Verdict, covered_until: datetime, out: Sequence[Absence]) -> Verdict:
    """The verdict of the signs of life, corrected by Agora's: who is out dropped as of the leave, whatever their page
    says since; never before ``covered_until``, to which the time is paid."""
    if not out:
        return verdict
    since = max(covered_until, min(absence.since for absence in out))
    if verdict.silent and verdict.covered_until < since:
        return verdict
    roles = frozenset(absence.role for absence in out if absence.role is not None)
    return Verdict(min(verdict.covered_until, since), verdict.silent | roles)


def unserved(spans: Iterable[Span], out: Iterable[Absence], timeout: timedelta) -> list[Absence]:
    """The parts of ``out`` that lie within active stretches, of those that were longer than ``timeout`` when the stretch
    was judged over. One that began before a stretch is not judged in it: both came back by the room's own calls, and
    a notice may be missing."""
    known = list(out)
    found = []
    for span in spans:
        for absence in known:
            end = span.judged_at if absence.until is None else min(absence.until, span.judged_at)
            if span.since <= absence.since < span.until and end - absence.since > timeout:
                found.append(Absence(absence.role, absence.since, min(end, span.until), absence.reason))
    return sorted(found, key=lambda absence: (absence.since, str(absence.role)))


def length(out: Iterable[Absence]) -> int:
    """Microseconds that ``out`` cover together, each counted once."""
    total, reached = 0, None
    for absence in sorted(out, key=lambda one: one.since):
        assert absence.until is not None
        since = absence.since if reached is None else max(absence.since, reached)
        total += max(0, (absence.until - since) // MICROSECOND)
        reached = absence.until if reached is None else max(reached, absence.until)
    return total


def credit_due(
    *,
    rate_cents: int,
    minutes: int,
    active_microseconds: int,
    out: Sequence[Absence],
    last_active: datetime,
    kept_is_due: bool,
) -> int:
    """All that a session owes its client in cents, unserved and kept time together.

    The client pays what the same session had cost if every notice had come at once: the minutes begun of the served
    time, less the rest of the last one where it is due (rule 7; whoever was out at the end had dropped). What the
    client's own absence did not cause is given back to the second at least.
    """
    away = length(out)
    served = active_microseconds - away
    fair = max(1, -(-served // MINUTE_MICROSECONDS))
    others = [absence for absence in out if absence.role is not Role.CLIENT]
    at_the_end = [absence for absence in out if absence.until == last_active]
    due = any(absence in others for absence in at_the_end) if at_the_end else kept_is_due
    rest = credit_for(rate_cents, fair * MINUTE_MICROSECONDS - served) if due else 0
    in_order = (minutes - fair) * rate_cents + rest
    return min(minutes * rate_cents, max(in_order, credit_for(rate_cents, length(others))))


@dataclass(frozen=True)
class Sample:
    """What a page measured of its call at ``at``: milliseconds, percent, kilobits a second; None where unknown.
    ``quality`` is one of QUALITIES, ``tab`` the first 32 bits of the page's id."""

    at: datetime
    round_trip_ms: int | None = None
    loss_percent: Decimal | None = None
    bitrate_kbps: int | None = None
    freezes: int | None = None
    jitter_ms: int | None = None
    quality: str = "unknown"
    tab: int = 0


QUALITIES = ("unknown", "good", "fair", "poor", "lost")


def lost_calls(samples: Iterable[Sample], timeout: timedelta) -> list[Absence]:
    """Times for which a page said, at each of its beats, that the call's media connection was lost; a hole in what it
    said ends them, and they are never drawn out beyond what it said."""
    found: list[Absence] = []
    began: datetime | None = None
    last: datetime | None = None
    for sample in sorted(samples, key=lambda one: one.at):
        broken = last is not None and sample.at - last > timeout
        if began is not None and last is not None and (broken or sample.quality != "lost"):
            found.append(Absence(None, began, last if broken else sample.at))
            began = None
        if sample.quality == "lost" and began is None:
            began = sample.at
        last = sample.at
    if began is not None and last is not None:
        found.append(Absence(None, began, last))
    return found
