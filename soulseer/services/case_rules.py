"""What everything about a case rests on: its lock, who may decide it, the decision that stands."""

from datetime import datetime

from sqlalchemy import select, update

from soulseer.db import db
from soulseer.domain.errors import Conflict, Forbidden, NotFound
from soulseer.domain.moderation import AppealState, CaseState, Deed, Outcome
from soulseer.models.moderation import Appeal, Flag, ModerationAction, ModerationCase
from soulseer.models.people import STAFF_ROLES, Person, PersonRole


def locked(case_id: int) -> ModerationCase:
    """The case with its row locked. Raises NotFound."""
    case = db.session.get(ModerationCase, case_id, with_for_update=True, populate_existing=True)
    if case is None:
        raise NotFound(f"There is no case {case_id}.")
    return case


def refuse_own(case: ModerationCase, actor_id: int) -> None:
    """Nobody decides about themselves, about what they flagged, or about an appeal against themselves. Raises Forbidden."""
    if case.author_id == actor_id:
        raise Forbidden("This case is about you: another moderator decides it.")
    flagged = select(Flag.id).where(Flag.case_id == case.id, Flag.reporter_id == actor_id).limit(1)
    if db.session.scalar(flagged) is not None:
        raise Forbidden("You reported this yourself: another moderator decides it.")
    if case.state != CaseState.APPEALED:
        return
    against = select(Appeal.id).where(
        Appeal.case_id == case.id, Appeal.state == AppealState.OPEN.value, Appeal.decider_id == actor_id
    )
    if db.session.scalar(against) is not None:
        raise Forbidden("The appeal is against your own decision: another moderator decides it.")


def refuse_taken(case: ModerationCase, actor_id: int, now: datetime) -> None:
    """Raise Conflict where another moderator has the case."""
    if case.claimed_by in (None, actor_id) or case.claimed_until is None or case.claimed_until <= now:
        return
    handle = db.session.scalar(select(Person.handle).where(Person.id == case.claimed_by))
    raise Conflict(f"{handle} has this case until {case.claimed_until:%H:%M} UTC.")


def refuse_staff(author_id: int, actor_id: int) -> None:
    """Only an admin acts on a member of staff. Raises Forbidden."""
    roles = db.session.execute(
        select(PersonRole.person_id, PersonRole.role).where(PersonRole.person_id.in_([author_id, actor_id]))
    ).all()
    staff = any(person == author_id and role in STAFF_ROLES for person, role in roles)
    if staff and (actor_id, "admin") not in [(person, role) for person, role in roles]:
        raise Forbidden("This is about a member of staff: an admin decides it.")


def in_force(case_id: int) -> ModerationAction | None:
    """The decision that stands, None where there is none."""
    found: ModerationAction | None = db.session.scalar(
        select(ModerationAction).where(
            ModerationAction.case_id == case_id,
            ModerationAction.undone_at.is_(None),
            ModerationAction.action != Deed.AUTO_HIDE.value,
        )
    )
    return found


def close(case: ModerationCase, now: datetime) -> None:
    """Mark it decided, and nobody's."""
    case.state, case.decided_at = CaseState.DECIDED.value, now
    case.claimed_by = case.claimed_until = None


def set_outcome(case_id: int, outcome: Outcome | None) -> None:
    """What the case's flags came to; None: nothing yet."""
    db.session.execute(
        update(Flag)
        .where(Flag.case_id == case_id)
        .values(outcome=outcome)
        .execution_options(synchronize_session=False)
    )
