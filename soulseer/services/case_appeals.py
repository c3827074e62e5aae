"""Appeals: the author of a content asks once, and another moderator than the one who decided looks again."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.errors import Conflict, NotFound
from soulseer.domain.moderation import CANNED, POLICIES, AppealState, CaseState, Deed, Outcome
from soulseer.domain.texts import clean_text
from soulseer.models.moderation import Appeal, ModerationAction, ModerationCase
from soulseer.services import audit, case_mails
from soulseer.services.case_decisions import revert
from soulseer.services.case_rules import close, locked, refuse_own, refuse_taken, set_outcome
from soulseer.services.flag_kinds import kind_of

LONGEST = 2000


@dataclass(frozen=True)
class Told:
    """A decision as its author sees it. ``appeal`` None: not appealed; ``standing``: it has not been undone."""

    action: ModerationAction
    kind: str
    policy: str
    text: str
    appeal: Appeal | None
    standing: bool

    @property
    def may_appeal(self) -> bool:
        return self.standing and self.appeal is None


def decision(code: str) -> Told:
    """The decision that the code in the author's mail opens. Two statements. Raises NotFound."""
    action, case = _found(code)
    appeal = db.session.scalar(select(Appeal).where(Appeal.action_id == action.id))
    canned = CANNED.get(action.canned or "")
    return Told(
        action,
        kind_of(case.kind).label.lower(),
        POLICIES.get(action.policy or "", ""),
        canned.text if canned else "",
        appeal,
        action.undone_at is None,
    )


def appeal(code: str, words: str, now: datetime) -> Appeal:
    """Appeal against the decision; a second click finds the first. Raises NotFound, InvalidInput (``words``),
    Conflict where the decision was taken back."""
    words = clean_text("words", words, LONGEST, minimum=1)
    action, case = _found(code)
    case = locked(case.id)
    db.session.refresh(action)
    known: Appeal | None = db.session.scalar(select(Appeal).where(Appeal.action_id == action.id))
    if known is not None:
        return known
    if action.undone_at is not None or case.state != CaseState.DECIDED:
        raise Conflict("This decision was taken back: there is nothing to appeal against.")
    made = Appeal(
        action_id=action.id,
        case_id=case.id,
        decider_id=action.actor_id,
        author_id=case.author_id,
        words=words,
        created_at=now,
    )
    db.session.add(made)
    case.state = CaseState.APPEALED.value
    db.session.flush()
    audit.record(
        "case.appealed",
        "moderation_case",
        case.id,
        now,
        actor_id=case.author_id,
        details={"action": action.id, "appeal": made.id},
    )
    return made


def decide(case_id: int, actor_id: int, *, overturn: bool, answer: str, reason: str, now: datetime) -> Appeal:
    """Uphold the decision, or overturn it: then content and author are as they were before. Raises NotFound, Conflict,
    Forbidden (one's own decision), InvalidInput (``answer``)."""
    answer = clean_text("answer", answer, LONGEST, minimum=1)
    case = locked(case_id)
    if case.state != CaseState.APPEALED:
        raise Conflict(f"Case {case_id} has no appeal that waits.")
    refuse_own(case, actor_id)
    refuse_taken(case, actor_id, now)
    found = db.session.scalars(
        select(Appeal).where(Appeal.case_id == case_id, Appeal.state == AppealState.OPEN.value)
    ).one()
    if overturn:
        action = db.session.get_one(ModerationAction, found.action_id)
        revert(case, action, actor_id, reason, now)
        _dismissed(case, actor_id, reason, now)
        set_outcome(case.id, Outcome.DISMISSED)
    found.state = (AppealState.OVERTURNED if overturn else AppealState.UPHELD).value
    found.decided_by, found.decided_at, found.answer = actor_id, now, answer
    close(case, now)
    db.session.flush()
    audit.record(
        f"case.appeal_{found.state}",
        "moderation_case",
        case_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"appeal": found.id, "decided_by": found.decider_id},
    )
    case_mails.appealed(case, found, now)
    return found


def _dismissed(case: ModerationCase, actor_id: int, reason: str, now: datetime) -> None:
    """What stands in place of a decision that was overturned."""
    db.session.add(
        ModerationAction(
            case_id=case.id,
            action=Deed.DISMISS.value,
            actor_id=actor_id,
            canned="nothing_wrong",
            words="",
            reason=reason,
            details={},
            at=now,
            appeal_code=secrets.token_urlsafe(24),
        )
    )


def _found(code: str) -> tuple[ModerationAction, ModerationCase]:
    row = db.session.execute(
        select(ModerationAction, ModerationCase)
        .join(ModerationCase, ModerationCase.id == ModerationAction.case_id)
        .where(
            ModerationAction.appeal_code == code,
            ModerationAction.action.not_in([Deed.AUTO_HIDE.value, Deed.DISMISS.value]),
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such decision.")
    return row[0], row[1]
