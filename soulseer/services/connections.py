"""Who was in the call, by both witnesses, and what of the paid time was served to nobody (docs/room.md, Who was there).

Signs of life say who is at the page (services/settling.py). Agora's signed notices say who is in the call's channel:
whoever left it and stayed away for longer than the presence time-out dropped as of the leave. A notice that comes too
late for that makes no minute unpaid: what was not served is given back by a movement of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.connections import (
    Absence,
    Notice,
    Sample,
    Span,
    absences,
    credit_due,
    gone,
    lost_calls,
    stronger,
    unserved,
)
from soulseer.domain.money import from_cents, to_cents
from soulseer.domain.presence import Verdict
from soulseer.domain.readings import Modality, PauseCause, Role, State, credit_is_due
from soulseer.models.connections import ChannelNotice
from soulseer.models.readings import ReadingSession, ReadingSessionEvent
from soulseer.services import connection_samples

# A leave that is older than this, and that nothing has followed, is found with the session's next paid minute.
LOOK_BACK = timedelta(hours=1)
NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Finding:
    """What the evidence of one session says. ``credit_cents`` is all that it owes its client, fair credit of kept time
    included; ``out`` are the absences that were not served; ``spans`` the active stretches."""

    spans: Sequence[Span]
    notices: Sequence[Notice]
    out: Sequence[Absence]
    credit_cents: int


def notices_of(session_id: int) -> list[Notice]:
    """Agora's notices of the session's two people. One statement."""
    rows = db.session.scalars(
        select(ChannelNotice).where(ChannelNotice.reading_session_id == session_id).order_by(ChannelNotice.id)
    )
    return [
        Notice(Role(row.role), row.joined, row.at, row.sequence, row.reason, str(row.id), row.received_at)
        for row in rows
    ]


def has_call(session: ReadingSession) -> bool:
    """Whether the session is spoken over a channel; what happens to the channel of a written one says nothing."""
    return session.modality != Modality.TEXT


def judged(session: ReadingSession, verdict: Verdict, at: datetime) -> tuple[Verdict, dict[str, object]]:
    """The verdict on an active, locked session by both witnesses, and what its event is to tell of it."""
    if not has_call(session) or session.active_since is None or session.covered_until is None:
        return verdict, {}
    timeout = policies.current().reading.presence_timeout
    out = gone(notices_of(session.id), session.active_since, at, timeout)
    found = stronger(verdict, session.covered_until, out)
    if found == verdict:
        return verdict, {}
    first = min(out, key=lambda absence: absence.since)
    return found, {"witness": "agora", "left_at": first.since.isoformat(), "why": first.reason}


def left_behind(now: datetime) -> list[int]:
    """Active sessions that somebody left by Agora's word longer than the time-out ago, for the sweep."""
    cutoff = now - policies.current().reading.presence_timeout
    rows = db.session.scalars(
        select(ChannelNotice.reading_session_id)
        .join(ReadingSession, ReadingSession.id == ChannelNotice.reading_session_id)
        .where(
            ~ChannelNotice.joined,
            ChannelNotice.received_at > now - LOOK_BACK,
            ChannelNotice.at < cutoff,
            ReadingSession.state == State.ACTIVE.value,
            ReadingSession.modality != Modality.TEXT.value,
            ChannelNotice.at >= ReadingSession.active_since,
        )
        .distinct()
        .order_by(ChannelNotice.reading_session_id)
    )
    return list(rows)


def finding(
    session: ReadingSession,
    events: Sequence[ReadingSessionEvent] | None = None,
    samples: Mapping[str, Sequence[Sample]] | None = None,
) -> Finding:
    """The evidence of a session that is over, and what it owes. Three statements, one less for each of ``events``
    and ``samples`` (both complete, the oldest first) that the caller has read."""
    if events is None:
        events = db.session.scalars(
            select(ReadingSessionEvent)
            .where(ReadingSessionEvent.reading_session_id == session.id)
            .order_by(ReadingSessionEvent.id)
        ).all()
    spans = active_spans(events, session.covered_until)
    notices = notices_of(session.id)
    if not has_call(session) or not spans or session.activated_at is None:
        return Finding(spans, notices, (), session.credit_cents)
    timeout = policies.current().reading.presence_timeout
    # Each side could write what it likes; what the reader's page tells is told against the reader's own interest.
    lost = [
        absence
        for absence in lost_calls((samples or connection_samples.of(session.id))["reader"], timeout)
        for span in spans
        if span.since <= absence.since < span.until
    ]
    out = unserved(spans, [*absences(notices), *lost], timeout)
    credit = session.credit_cents
    if out:
        credit = credit_due(
            rate_cents=session.rate_cents,
            minutes=session.minutes_billed,
            active_microseconds=session.active_microseconds,
            out=out,
            last_active=spans[-1].until,
            kept_is_due=_kept_is_due(session, events),
        )
    return Finding(spans, notices, out, max(credit, session.credit_cents))


def active_spans(events: Sequence[ReadingSessionEvent], covered_until: datetime | None) -> list[Span]:
    """The stretches in which the session was active, by the moves' effective instants; one that lasts ends where it is
    covered to."""
    found = []
    since: datetime | None = None
    for event in events:
        if event.to_state == State.ACTIVE and event.from_state != State.ACTIVE:
            since = event.effective_at
        elif event.from_state == State.ACTIVE and event.to_state != State.ACTIVE and since is not None:
            found.append(Span(since, max(since, event.effective_at), event.recorded_at))
            since = None
    if since is not None and covered_until is not None:
        until = max(since, covered_until)
        found.append(Span(since, until, until))
    return found


def _kept_is_due(session: ReadingSession, events: Sequence[ReadingSessionEvent]) -> bool:
    """Rule 7's answer for the session's own end."""
    end = next((event for event in reversed(events) if event.to_state == State.ENDED), None)
    if end is None:
        return False
    cause = PauseCause(session.pause_cause) if session.pause_cause else None
    was_active = end.from_state == State.ACTIVE
    return credit_is_due(ended_from_active=was_active, ended_by=Role(end.actor_role), cause=cause)


def owed(session: ReadingSession, refunded: Decimal = NOTHING) -> Decimal:
    """What the evidence owes the client beyond the fair credit on the session and ``refunded`` for it, dollars."""
    return max(NOTHING, from_cents(finding(session).credit_cents - session.credit_cents - to_cents(refunded)))
