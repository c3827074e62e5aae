"""Ends rings and graces that are over; pauses sessions whose participants fell silent (design §5)."""

from typing import Any

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.readings import LIVE, State
from soulseer.jobs.billing_tick import active_ids
from soulseer.jobs.context import JobContext
from soulseer.jobs.settling import settle_each
from soulseer.models.readings import ReadingSession
from soulseer.services import board


def run(context: JobContext) -> dict[str, Any]:
    """Settle every session whose ring, grace or presence has run out at ``context.now``."""
    due = overdue(context)
    timeout = policies.current().reading.presence_timeout
    unseen: set[int] = set()
    if not context.assume_present:
        unseen, _ = gateways.current().presence.unseen_since(context.now, timeout, active_ids())
    silent, gone = _active_and_over(unseen)
    if context.dry_run:
        return {"dry_run": True, "over": due, "silent": silent}
    # Here as well as by the tick, which staff may have paused.
    board.show_again(context.now)
    # A heartbeat that was under way while its session ended has left a sign that nobody needs.
    gateways.current().presence.forget(gone)
    return settle_each([*due, *silent], context)


def overdue(context: JobContext) -> list[int]:
    """Sessions whose ring or grace is over."""
    waiting = select(ReadingSession.id).where(
        ReadingSession.state.in_([State.CREATED.value, State.WAITING.value]),
        ReadingSession.ring_until <= context.now,
    )
    paused = select(ReadingSession.id).where(
        ReadingSession.state.in_([State.PAUSED.value, State.RECONNECTING.value]),
        ReadingSession.grace_until <= context.now,
    )
    return sorted({*db.session.scalars(waiting), *db.session.scalars(paused)})


def _active_and_over(ids: set[int]) -> tuple[list[int], list[int]]:
    """Those of ``ids`` that are active, in order, and those that are over."""
    if not ids:
        return [], []
    found = select(ReadingSession.id, ReadingSession.state).where(
        ReadingSession.id.in_(ids), ReadingSession.state.in_(LIVE)
    )
    live = {row.id: row.state for row in db.session.execute(found)}
    active = sorted(session_id for session_id, state in live.items() if state == State.ACTIVE)
    return active, sorted(ids - live.keys())
