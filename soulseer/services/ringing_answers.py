"""A reader's no to a ring: the client is told at once and nothing is charged."""

from datetime import datetime

from soulseer.domain.errors import Forbidden
from soulseer.domain.readings import Action, EndReason, Role
from soulseer.gateways.presence import Signs
from soulseer.models.readings import ReadingSession
from soulseer.services.readings import Caller
from soulseer.services.settling import finish, instant_for, lock, refuse_if_over, settle


def decline(session_id: int, caller: Caller, now: datetime, signs: Signs) -> ReadingSession:
    """waiting → ended, by the reader. Declining twice does nothing.

    Raises Forbidden for the client, RingOver where the ring ran out, IllegalMove once the reading has begun.
    """
    if caller.role is not Role.READER:
        raise Forbidden("Only the reader who is rung can decline.")
    session = lock(session_id)
    if session.end_reason == EndReason.DECLINED:
        return session
    at = instant_for(session, now)
    settle(session, at, signs, caller=caller.role)
    refuse_if_over(session, Action.DECLINE)
    finish(
        session,
        at,
        at,
        EndReason.DECLINED,
        action=Action.DECLINE,
        role=Role.READER,
        actor_id=caller.person_id,
    )
    return session
