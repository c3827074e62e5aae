"""What somebody has reported, and what came of it: never what was done to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.domain.moderation import REASONS, Outcome
from soulseer.models.moderation import Flag, ModerationCase
from soulseer.services.flag_kinds import kind_of

PAGE = 20
BEGINNING = 2**63 - 1
_OUTCOMES = {
    None: ("Waits to be looked at", "information"),
    Outcome.UPHELD.value: ("We acted on it", "good"),
    Outcome.DISMISSED.value: ("Looked at: nothing to act on", ""),
}


@dataclass(frozen=True)
class Report:
    """One of one's own reports; ``tone`` as in components/states.html."""

    id: int
    kind: str
    reason: str
    note: str
    what: str
    outcome: str
    tone: str
    at: datetime


def of_reporter(person_id: int, before: int | None = None) -> tuple[Sequence[Report], int | None]:
    """(the person's reports, newest first, the ``before`` of the next page or None). One statement."""
    rows = db.session.execute(
        select(Flag, ModerationCase.kind)
        .join(ModerationCase, ModerationCase.id == Flag.case_id)
        .where(Flag.reporter_id == person_id, Flag.id < (before or BEGINNING))
        .order_by(Flag.id.desc())
        .limit(PAGE + 1)
    ).all()
    reports = [_report(flag, kind) for flag, kind in rows[:PAGE]]
    return reports, reports[-1].id if len(rows) > PAGE else None


def one(flag_id: int, person_id: int) -> Report:
    """One of the person's own reports. Raises NotFound for anybody else's."""
    row = db.session.execute(
        select(Flag, ModerationCase.kind)
        .join(ModerationCase, ModerationCase.id == Flag.case_id)
        .where(Flag.id == flag_id, Flag.reporter_id == person_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such report of yours.")
    return _report(*row)


def _report(flag: Flag, kind: str) -> Report:
    outcome, tone = _OUTCOMES[flag.outcome]
    return Report(
        flag.id,
        kind_of(kind).label,
        REASONS[flag.reason].label,
        flag.note,
        about(flag.snapshot),
        outcome,
        tone,
        flag.created_at,
    )


def about(snapshot: dict[str, object]) -> str:
    """A line that tells what was flagged: its words, else its first facts."""
    words = snapshot.get("text") or snapshot.get("display_name") or snapshot.get("shows")
    if not words:
        words = ", ".join(str(value) for value in list(snapshot.values())[:3])
    return str(words)[:200]
