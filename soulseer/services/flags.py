"""Raising flags: by people once a thing, by the house by itself; flags on one thing are one open case."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import Forbidden, InvalidInput
from soulseer.domain.moderation import NEW_REPORTER, REASONS, CaseState, Deed, Outcome, weight_of
from soulseer.domain.texts import clean_text
from soulseer.models.moderation import Flag, ModerationAction, ModerationCase
from soulseer.services import audit
from soulseer.services import flag_contents as flag_contents  # declares the house's kinds
from soulseer.services.flag_kinds import ContentKind, kind_of

LONGEST_NOTE = 1000


def raise_flag(
    kind: str,
    object_id: int | str,
    reporter_id: int | None,
    reason_code: str,
    note: str,
    snapshot: dict[str, Any] | None,
    now: datetime,
    *,
    about_id: int | None = None,
) -> Flag:
    """Flag a thing, in the caller's transaction; the same reporter on the same unchanged thing again is the same flag.

    ``object_id``: profile → the person's number, review → its own, session → its own, message → ``"session:number"``.
    ``reporter_id`` None is the house. ``snapshot`` None: the thing as it is now. ``about_id``: whom it is about, where
    the kind cannot tell (a session flagged by the house). Enough weight of flags hides the thing until it was looked at.

    Raises NotFound (no such kind or thing, or not the reporter's to see), Forbidden (one's own), InvalidInput (``reason``,
    ``note``).
    """
    content = kind_of(kind)
    reason = REASONS.get(reason_code)
    if reason is None or (reporter_id is not None and not reason.people):
        raise InvalidInput("reason", "Choose what is wrong.")
    note = clean_text("note", note, LONGEST_NOTE)
    thing = content.find(str(object_id), reporter_id)
    author_id = about_id if about_id is not None else thing.author_id
    if author_id is None:
        raise InvalidInput("about_id", "Say whom this is about.")
    if author_id == reporter_id:
        raise Forbidden("You cannot report yourself.")
    seen = snapshot if snapshot is not None else thing.snapshot
    known = _known(kind, thing.object_id, author_id, reporter_id, seen)
    if known is not None:
        return known
    case_id = _open_case(kind, thing.object_id, author_id, reason.priority, now)
    flag = _add(case_id, reporter_id, reason.code, note, seen, now)
    case = db.session.get_one(ModerationCase, case_id, populate_existing=True)
    if flag is None:
        return _same(case_id, reporter_id, reason.code)
    case.flag_count += 1
    case.weight += flag.weight
    case.priority = max(case.priority, reason.priority)
    case.last_flag_at = now
    if case.weight >= policies.current().moderation.hide_weight and thing.can_hide and not thing.hidden:
        _hide_until_seen(case, content, now)
    db.session.flush()
    return flag


def accuracy_of(reporter_id: int) -> tuple[int, int]:
    """How many of the person's flags were (upheld, dismissed). One statement."""
    rows = db.session.execute(
        select(Flag.outcome, func.count())
        .where(Flag.reporter_id == reporter_id, Flag.outcome.is_not(None))
        .group_by(Flag.outcome)
    )
    found = {row[0]: row[1] for row in rows}
    return found.get(Outcome.UPHELD.value, 0), found.get(Outcome.DISMISSED.value, 0)


def _known(
    kind: str, object_id: str, author_id: int, reporter_id: int | None, snapshot: dict[str, Any]
) -> Flag | None:
    """The reporter's flag on the thing as it is now, decided or not."""
    if reporter_id is None:
        return None
    found: Flag | None = db.session.scalar(
        select(Flag)
        .join(ModerationCase, ModerationCase.id == Flag.case_id)
        .where(
            ModerationCase.kind == kind,
            ModerationCase.object_id == object_id,
            ModerationCase.author_id == author_id,
            Flag.reporter_id == reporter_id,
            Flag.snapshot == snapshot,
        )
        .limit(1)
    )
    return found


def _open_case(kind: str, object_id: str, author_id: int, priority: int, now: datetime) -> int:
    """The open case on the thing, made or found, and locked: of many at once, one makes it and the others wait."""
    statement = upsert(ModerationCase).values(
        kind=kind,
        object_id=object_id,
        author_id=author_id,
        state=CaseState.OPEN.value,
        priority=priority,
        weight=0,
        flag_count=0,
        created_at=now,
        last_flag_at=now,
    )
    statement = statement.on_conflict_do_update(
        index_elements=["kind", "object_id", "author_id"],
        index_where=text("state = 'open'"),
        # Written as it is: only a row that is written is locked.
        set_={"flag_count": ModerationCase.flag_count},
    )
    return int(db.session.execute(statement.returning(ModerationCase.id)).scalar_one())


def _add(
    case_id: int, reporter_id: int | None, reason: str, note: str, snapshot: dict[str, Any], now: datetime
) -> Flag | None:
    """The new flag; None where the case has the reporter's already."""
    weight = NEW_REPORTER if reporter_id is None else weight_of(*accuracy_of(reporter_id))
    made = db.session.scalar(
        upsert(Flag)
        .values(
            case_id=case_id,
            reporter_id=reporter_id,
            reason=reason,
            note=note,
            snapshot=snapshot,
            weight=weight,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Flag.id)
    )
    return None if made is None else db.session.get_one(Flag, made)


def _same(case_id: int, reporter_id: int | None, reason: str) -> Flag:
    query = select(Flag).where(Flag.case_id == case_id)
    if reporter_id is None:
        query = query.where(Flag.reporter_id.is_(None), Flag.reason == reason)
    else:
        query = query.where(Flag.reporter_id == reporter_id)
    return db.session.scalars(query).one()


def _hide_until_seen(case: ModerationCase, content: ContentKind, now: datetime) -> None:
    """Take the thing off the site until a moderator has looked; once a case, and only what can be hidden."""
    if content.hide is None:
        return
    # Asked under the case's lock: of several flags at once the first one hides.
    hidden = select(ModerationAction.id).where(
        ModerationAction.case_id == case.id,
        ModerationAction.action == Deed.AUTO_HIDE.value,
        ModerationAction.undone_at.is_(None),
    )
    if db.session.scalar(hidden) is not None:
        return
    before = content.hide(case.object_id, now)
    action = ModerationAction(
        case_id=case.id,
        action=Deed.AUTO_HIDE.value,
        words="",
        reason="Enough weight of flags.",
        details={"hidden": before},
        at=now,
        appeal_code=secrets.token_urlsafe(24),
    )
    db.session.add(action)
    audit.record(
        "case.auto_hidden",
        "moderation_case",
        case.id,
        now,
        details={"weight": case.weight, "kind": case.kind},
    )
