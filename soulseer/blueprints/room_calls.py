"""Calls to the room: record the sign of life, settle what is due, make the move (design §4, Presence and rule 4)."""

from collections.abc import Callable
from datetime import datetime

import structlog
from flask import g

from soulseer import gateways
from soulseer.db import after_commit, db, transaction
from soulseer.domain import policies
from soulseer.domain.errors import PresenceUnavailable
from soulseer.domain.readings import State
from soulseer.gateways.presence import Signs
from soulseer.models.readings import ReadingSession
from soulseer.services import connection_samples, readings
from soulseer.services.people import SignedIn
from soulseer.services.promotions import Holding
from soulseer.services.readings import Caller, Meter
from soulseer.services.settling import instant_for, is_due, witnessed_until

log = structlog.get_logger(__name__)

Move = Callable[[int, Caller, datetime, Signs], ReadingSession]


def touch(
    session: ReadingSession, caller: Caller, now: datetime, *, joins: bool = False, measured: str = ""
) -> Signs:
    """Record the caller's sign of life, with what its page measured; gives the signs before it. Without Redis nobody is
    judged: nothing is known from this instant back. What is over leaves no signs.

    Raises PresenceUnavailable where the call is a ``join`` that may start paid time: not while nobody can be seen.
    """
    if not session.is_live:
        return Signs(now, None, None)
    judged = session.state == State.ACTIVE and instant_for(session, now) == now
    timeout = policies.current().reading.presence_timeout
    try:
        return gateways.current().presence.touch(
            session.id,
            caller.role.value,
            now,
            timeout,
            even_after_gap=not judged,
            witnessed_until=witnessed_until(session) if judged else None,
            measured=measured if session.state == State.ACTIVE else "",
        )
    except PresenceUnavailable:
        if joins and session.state != State.ACTIVE:
            raise
        log.warning("presence_unavailable", session=session.id)
        return Signs(now, None, None)


def remember(session_id: int, caller: Caller, now: datetime) -> None:
    """Record the caller's sign of life once a gap before it has been booked."""
    timeout = policies.current().reading.presence_timeout
    try:
        gateways.current().presence.touch(session_id, caller.role.value, now, timeout, even_after_gap=True)
    except PresenceUnavailable:
        log.warning("presence_unavailable", session=session_id)


def look(
    session_id: int,
    person_id: int,
    now: datetime,
    seen: ReadingSession | None = None,
    *,
    held: Holding | None = None,
    measured: str = "",
) -> Meter:
    """A heartbeat, or a look at the meter: a sign of life. Writes to PostgreSQL only if something is due. ``seen`` is
    the session and ``held`` what the caller holds, where this request has read it already; ``measured`` what the page
    tells of its call.

    Raises NotFound, NotParticipant.
    """
    session = seen or readings.glance(session_id)
    caller = readings.caller_of(session, person_id)
    signs = touch(session, caller, now, measured=measured)
    if is_due(session, instant_for(session, now), signs, caller.role):
        with transaction():
            session = readings.observe(session_id, now, signs, caller)
            if signs.measured >= connection_samples.ENOUGH:
                connection_samples.keep(session_id, connection_samples.gathered(session_id))
            if session.is_live:
                after_commit(lambda: remember(session_id, caller, now))
        held = None
    return readings.meter(session, caller, now, signs, held)


def poll(person: SignedIn, session_id: int, now: datetime, measured: str = "") -> Meter:
    """``look``, with what came with the sign-in (blueprints/identity.py)."""
    seen = g.pop("glanced", None)
    return look(session_id, person.id, now, seen, held=person.held, measured=measured)


def move(action: Move, session_id: int, person_id: int, now: datetime) -> Meter:
    """Do ``action`` (join, leave, reconnect, end) for a participant in one transaction; gives the meter after it.

    Raises NotFound, NotParticipant, and what the action raises; what was settled before a refusal stays.
    """
    session = readings.find(session_id)
    caller = readings.caller_of(session, person_id)
    signs = touch(session, caller, now, joins=action is readings.join)
    live = session.is_live
    db.session.expunge(session)
    with transaction():
        if live:
            # First, so that it also holds where the call is refused but what was settled stays, and so that an end,
            # whose hooks come later, leaves nothing behind.
            after_commit(lambda: remember(session_id, caller, now))
        session = action(session_id, caller, now, signs)
    return readings.meter(session, caller, now, signs)
