"""The queue of cases for moderators: take one for a while, give it back, take the next that waits."""

from datetime import datetime

from sqlalchemy import exists, or_, select

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import Conflict
from soulseer.domain.moderation import AppealState, CaseState
from soulseer.models.moderation import Appeal, Flag, ModerationCase
from soulseer.services import audit
from soulseer.services.case_rules import locked, refuse_own, refuse_taken


def claim(case_id: int, actor_id: int, now: datetime) -> ModerationCase:
    """Take the case for a while; again, for longer. Raises NotFound, Conflict (another has it, or it is decided),
    Forbidden (one's own: about oneself, flagged by oneself, appealed against oneself)."""
    case = locked(case_id)
    if case.state == CaseState.DECIDED:
        raise Conflict(f"Case {case_id} was decided.")
    refuse_own(case, actor_id)
    refuse_taken(case, actor_id, now)
    new = case.claimed_by != actor_id
    case.claimed_by, case.claimed_until = actor_id, now + policies.current().moderation.claim
    if new:
        audit.record("case.claimed", "moderation_case", case_id, now, actor_id=actor_id)
    return case


def release(case_id: int, actor_id: int, now: datetime) -> None:
    """Give the case back to the queue. Raises NotFound, Conflict where it is another's."""
    case = locked(case_id)
    refuse_taken(case, actor_id, now)
    if case.claimed_by is not None:
        case.claimed_by = case.claimed_until = None
        audit.record("case.released", "moderation_case", case_id, now, actor_id=actor_id)


def take_next(actor_id: int, now: datetime) -> int | None:
    """Take the first case that waits and that the moderator may decide; None where there is none. Of two at once
    each gets another one."""
    own = exists().where(Flag.case_id == ModerationCase.id, Flag.reporter_id == actor_id)
    decided = exists().where(
        Appeal.case_id == ModerationCase.id,
        Appeal.state == AppealState.OPEN.value,
        Appeal.decider_id == actor_id,
    )
    for state in (CaseState.APPEALED, CaseState.OPEN):
        case_id: int | None = db.session.scalar(
            select(ModerationCase.id)
            .where(
                ModerationCase.state == state.value,
                or_(ModerationCase.claimed_until.is_(None), ModerationCase.claimed_until <= now),
                ModerationCase.author_id != actor_id,
                ~own,
                ~decided,
            )
            .order_by(ModerationCase.rank.desc())
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if case_id is not None:
            return claim(case_id, actor_id, now).id
    return None
