"""What both sides of a case are told, each once: its author and those who flagged it; the house is told nothing."""

from datetime import datetime

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.moderation import CANNED, POLICIES, AppealState, Deed, Outcome
from soulseer.models.moderation import Appeal, Flag, ModerationAction, ModerationCase
from soulseer.services import mail
from soulseer.services.flag_kinds import kind_of


def decided(case: ModerationCase, action: ModerationAction, *, was_hidden: bool, now: datetime) -> None:
    """Tell the author what was decided and how to appeal, and the reporters what came of it. An author of whom nothing
    was wrong is only told where the content was hidden meanwhile."""
    dismissed = action.action == Deed.DISMISS
    if not dismissed or was_hidden:
        mail.queue(
            case.author_id,
            "moderation_decided",
            {
                "deed": action.action,
                "kind": kind_of(case.kind).label.lower(),
                "policy": POLICIES.get(action.policy or "", ""),
                "text": CANNED[action.canned].text if action.canned else "",
                "words": action.words,
                "ends_at": action.ends_at.isoformat() if action.ends_at else "",
                "appeal_code": "" if dismissed else action.appeal_code,
            },
            now,
            key=f"moderation_decided:{action.id}",
        )
    outcome = Outcome.DISMISSED if dismissed else Outcome.UPHELD
    _reporters(case, outcome.value, f"flag_outcome:{action.id}", now)


def undone(case: ModerationCase, action: ModerationAction, now: datetime) -> None:
    """Tell both sides that the decision was taken back."""
    if action.action != Deed.DISMISS:
        values = {"kind": kind_of(case.kind).label.lower()}
        mail.queue(case.author_id, "moderation_undone", values, now, key=f"moderation_undone:{action.id}")
    _reporters(case, "undone", f"flag_undone:{action.id}", now)


def appealed(case: ModerationCase, appeal: Appeal, now: datetime) -> None:
    """Tell the author how the appeal ended, and the reporters where that changed the outcome."""
    values = {
        "state": appeal.state,
        "kind": kind_of(case.kind).label.lower(),
        "answer": appeal.answer or "",
    }
    mail.queue(case.author_id, "appeal_decided", values, now, key=f"appeal_decided:{appeal.id}")
    if appeal.state == AppealState.OVERTURNED:
        _reporters(case, "overturned", f"flag_overturned:{appeal.id}", now)


def _reporters(case: ModerationCase, outcome: str, key: str, now: datetime) -> None:
    reporters = db.session.scalars(
        select(Flag.reporter_id)
        .where(Flag.case_id == case.id, Flag.reporter_id.is_not(None))
        .order_by(Flag.id)
    ).all()
    values = {"kind": kind_of(case.kind).label.lower(), "outcome": outcome}
    for reporter_id in reporters:
        assert reporter_id is not None
        mail.queue(reporter_id, "flag_outcome", values, now, key=f"{key}:{reporter_id}")
