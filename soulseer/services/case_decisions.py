"""Deciding a case, and undoing that: each with its audit row and its mails in the same transaction.

Locks: the case, then the content or the person, then a reading and its accounts.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.errors import Conflict, InvalidInput
from soulseer.domain.moderation import CANNED, DECISIONS, POLICIES, CaseState, Deed, Outcome
from soulseer.domain.texts import clean_text
from soulseer.gateways.presence import Signs
from soulseer.models.moderation import ModerationAction, ModerationCase
from soulseer.services import audit, case_mails, suspensions
from soulseer.services.case_rules import (
    close,
    in_force,
    locked,
    refuse_own,
    refuse_staff,
    refuse_taken,
    set_outcome,
)
from soulseer.services.flag_kinds import ContentKind, kind_of

LONGEST_SUSPENSION = timedelta(days=366)
LONGEST_WORDS = 1000
_ABOUT_PEOPLE = (Deed.WARN, Deed.STRIKE, Deed.SUSPEND, Deed.BAN)


@dataclass(frozen=True)
class Decision:
    """What a moderator chose. ``ends_at`` for a suspension; ``field`` and ``text`` for what is edited out; ``also_hide``:
    the content goes as well, where the decision is about its author. ``words`` are added to the canned text."""

    deed: Deed
    reason: str
    policy: str = ""
    canned: str = ""
    words: str = ""
    ends_at: datetime | None = None
    field: str = ""
    text: str = ""
    also_hide: bool = False


def possible(kind: ContentKind, *, can_hide: bool = True) -> Sequence[Deed]:
    """What may be decided about a content of this kind."""
    without = {Deed.HIDE} if kind.hide is None or not can_hide else set()
    without |= {Deed.EDIT_OUT} if kind.edit is None or not can_hide else set()
    return tuple(deed for deed in DECISIONS if deed not in without)


def decide(
    case_id: int, actor_id: int, decision: Decision, now: datetime, signs: Signs | None = None
) -> ModerationAction:
    """Decide an open case: what it does to content and author, its flags' outcome, mail to both sides.

    ``signs``: the last signs of life in the reading that its author is in, which a suspension or a ban ends. Raises
    NotFound, Conflict (decided before, another's claim), Forbidden (one's own; staff, but by admin), InvalidInput.
    """
    case = locked(case_id)
    if case.state != CaseState.OPEN:
        raise Conflict(f"Case {case_id} is {case.state}: it cannot be decided again.")
    refuse_own(case, actor_id)
    refuse_taken(case, actor_id, now)
    kind = kind_of(case.kind)
    decision = _checked(decision, kind, case, now)
    if decision.deed in _ABOUT_PEOPLE:
        refuse_staff(case.author_id, actor_id)
    details = _effect(case, kind, decision, actor_id, now, signs)
    action = ModerationAction(
        case_id=case.id,
        action=decision.deed.value,
        actor_id=actor_id,
        policy=decision.policy or None,
        canned=decision.canned,
        words=decision.words,
        reason=decision.reason,
        details=details,
        ends_at=decision.ends_at,
        at=now,
        appeal_code=secrets.token_urlsafe(24),
    )
    db.session.add(action)
    outcome = Outcome.DISMISSED if decision.deed is Deed.DISMISS else Outcome.UPHELD
    set_outcome(case.id, outcome)
    close(case, now)
    db.session.flush()
    audit.record(
        f"case.{decision.deed.value}",
        "moderation_case",
        case.id,
        now,
        actor_id=actor_id,
        reason=decision.reason,
        details={"action": action.id, "about": case.author_id, "policy": decision.policy or "none"},
    )
    case_mails.decided(case, action, was_hidden=bool(details.get("was_auto_hidden")), now=now)
    return action


def undo(case_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Take the decision back: content and author are as they were, and the case waits again. Raises NotFound, Conflict
    (nothing to undo, an appeal waits, a newer case on the same thing), Forbidden."""
    case = locked(case_id)
    if case.state == CaseState.APPEALED:
        raise Conflict("Its author has appealed: decide the appeal.")
    refuse_own(case, actor_id)
    action = in_force(case_id)
    if action is None:
        raise Conflict(f"Case {case_id} has no decision to undo.")
    newer = select(ModerationCase.id).where(
        ModerationCase.kind == case.kind,
        ModerationCase.object_id == case.object_id,
        ModerationCase.author_id == case.author_id,
        ModerationCase.state == CaseState.OPEN.value,
    )
    other = db.session.scalar(newer)
    if other is not None:
        raise Conflict(f"Case {other} is open on the same thing: decide that one first.")
    revert(case, action, actor_id, reason, now)
    set_outcome(case.id, None)
    case.state, case.decided_at = CaseState.OPEN.value, None
    audit.record(
        "case.undone",
        "moderation_case",
        case_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"action": action.id, "was": action.action},
    )
    case_mails.undone(case, action, now)


def revert(case: ModerationCase, action: ModerationAction, actor_id: int, reason: str, now: datetime) -> None:
    """Undo what the action did, exactly, and mark it undone."""
    kind, details = kind_of(case.kind), action.details
    if "person" in details:
        suspensions.lift(case.author_id, details["person"], reason, now, actor_id=actor_id)
    if "edited" in details and kind.restore:
        kind.restore(case.object_id, details["edited"])
    if "hidden" in details and kind.unhide:
        kind.unhide(case.object_id, details["hidden"])
    action.undone_at, action.undone_by, action.undone_reason = now, actor_id, reason
    db.session.flush()


def _effect(
    case: ModerationCase,
    kind: ContentKind,
    decision: Decision,
    actor_id: int,
    now: datetime,
    signs: Signs | None,
) -> dict[str, Any]:
    """Do it; gives what undoing needs."""
    details: dict[str, Any] = {}
    hidden = _take_over_hiding(case, actor_id, now)
    if hidden is not None:
        details["was_auto_hidden"] = True
    keeps_hidden = decision.deed is Deed.HIDE or decision.also_hide
    if hidden is not None and not keeps_hidden and kind.unhide:
        kind.unhide(case.object_id, hidden)
    elif hidden is not None:
        details["hidden"] = hidden
    elif keeps_hidden and kind.hide:
        details["hidden"] = kind.hide(case.object_id, now)
    if decision.deed is Deed.EDIT_OUT and kind.edit:
        details["edited"] = kind.edit(case.object_id, decision.field, decision.text)
    if decision.deed in (Deed.SUSPEND, Deed.BAN):
        said = POLICIES[decision.policy]
        details["person"] = suspensions.suspend(case.author_id, decision.ends_at, said, actor_id, now, signs)
    return details


def _take_over_hiding(case: ModerationCase, actor_id: int, now: datetime) -> dict[str, Any] | None:
    """End the house's hiding of the content: what it noted, None where the house hid nothing."""
    found = db.session.scalar(
        select(ModerationAction).where(
            ModerationAction.case_id == case.id,
            ModerationAction.action == Deed.AUTO_HIDE.value,
            ModerationAction.undone_at.is_(None),
        )
    )
    if found is None:
        return None
    found.undone_at, found.undone_by, found.undone_reason = now, actor_id, "A moderator has looked."
    db.session.flush()
    before: dict[str, Any] = found.details["hidden"]
    return before


def _checked(decision: Decision, kind: ContentKind, case: ModerationCase, now: datetime) -> Decision:
    """The decision with what does not belong to it left out. Raises InvalidInput."""
    deed = decision.deed
    can_hide = kind.find(case.object_id, None).can_hide
    if deed not in possible(kind, can_hide=can_hide):
        raise InvalidInput("deed", "This cannot be done about such a content.")
    canned = CANNED.get(decision.canned)
    if canned is None or deed not in canned.deeds:
        raise InvalidInput("canned", "Choose the text for this decision.")
    if deed is not Deed.DISMISS and decision.policy not in POLICIES:
        raise InvalidInput("policy", "Choose the rule that it rests on.")
    words = clean_text("words", decision.words, LONGEST_WORDS)
    ends_at = decision.ends_at if deed is Deed.SUSPEND else None
    if deed is Deed.SUSPEND and (ends_at is None or not now < ends_at <= now + LONGEST_SUSPENSION):
        raise InvalidInput("ends_at", "A suspension ends on a day within a year; for good is a ban.")
    if deed is Deed.EDIT_OUT and decision.field not in kind.fields:
        raise InvalidInput("field", "Choose what to edit.")
    return replace(
        decision,
        policy="" if deed is Deed.DISMISS else decision.policy,
        words=words,
        text=clean_text("text", decision.text, 4000) if deed is Deed.EDIT_OUT else "",
        ends_at=ends_at,
        also_hide=decision.also_hide and deed in _ABOUT_PEOPLE and kind.hide is not None and can_hide,
    )
