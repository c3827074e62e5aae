"""Suspending and banning people: for a time or for good, and taken back exactly as it was."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.errors import GraceOver, IllegalMove, NotFound, RingOver
from soulseer.domain.moderation import Deed
from soulseer.domain.readings import Role
from soulseer.gateways.presence import Signs
from soulseer.models.moderation import ModerationAction, ModerationCase
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import LiveParticipant
from soulseer.models.staff_care import StaffSuspension
from soulseer.services import audit, reader_gates, readings

Before = dict[str, Any]


def live_session(person_id: int) -> int | None:
    """The reading that the person is in now. One statement."""
    found: int | None = db.session.scalar(
        select(LiveParticipant.reading_session_id).where(LiveParticipant.person_id == person_id)
    )
    return found


def suspend(
    person_id: int,
    until: datetime | None,
    reason: str,
    actor_id: int,
    now: datetime,
    signs: Signs | None = None,
) -> Before:
    """Suspend until an instant (UTC), or for good (None): the reading they are in ends, and as a reader they are shown
    no longer. Gives what ``lift`` needs. ``signs``: the last signs of life in that reading. Raises NotFound."""
    person = _locked(person_id)
    before: Before = {
        "at": _text(person.suspended_at),
        "reason": person.suspended_reason,
        "until": _text(person.suspended_until),
    }
    person.suspended_at, person.suspended_reason, person.suspended_until = now, reason, until
    reader = db.session.get(ReaderProfile, person_id, with_for_update=True, populate_existing=True)
    if reader is not None:
        before["reader"] = {"status": reader.status, "listed": reader.listed, "online": reader.online}
        if reader.status == "verified":
            reader.status = "suspended"
        reader.listed = reader.online = False
    db.session.flush()
    _end_reading(person_id, actor_id, reason, now, signs)
    details = {"until": _text(until) or "for good"}
    audit.record(
        "person.suspended", "person", person_id, now, actor_id=actor_id, reason=reason, details=details
    )
    return before


def lift(
    person_id: int, before: Before, reason: str, now: datetime, *, actor_id: int | None, over: bool = False
) -> None:
    """Put back what stood there before. ``over``: its time has come, the reader goes online by themselves."""
    person = _locked(person_id)
    person.suspended_at = _instant(before["at"])
    person.suspended_reason, person.suspended_until = before["reason"], _instant(before["until"])
    reader = db.session.get(ReaderProfile, person_id, with_for_update=True, populate_existing=True)
    was = before.get("reader")
    if reader is not None and was and reader.status in ("suspended", was["status"]):
        reader.status = was["status"]
        again = reader_gates.listed_again(person_id, bool(was["listed"]))
        reader.listed = again and reader.status == "verified"
        reader.online = was["online"] and not over and reader.listed
    audit.record("person.suspension_lifted", "person", person_id, now, actor_id=actor_id, reason=reason)


def of_staff(person_id: int) -> StaffSuspension | None:
    """What staff decided without a case and has not been lifted, locked; None where there is nothing."""
    found: StaffSuspension | None = db.session.scalar(
        select(StaffSuspension)
        .where(StaffSuspension.person_id == person_id, StaffSuspension.lifted_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found


def due(now: datetime) -> list[int]:
    """The people whose suspension's end has come."""
    return list(
        db.session.scalars(select(Person.id).where(Person.suspended_until <= now).order_by(Person.id))
    )


def end_of_time(person_id: int, now: datetime) -> bool:
    """Lift the person's suspension whose end has come; False where another was quicker or it was prolonged."""
    person = _locked(person_id)
    if person.suspended_until is None or person.suspended_until > now:
        return False
    row = of_staff(person_id)
    if row is not None and row.at == person.suspended_at:
        row.lifted_at = now
        lift(person_id, row.before, "Its time is over.", now, actor_id=None, over=True)
        return True
    details = db.session.scalar(
        select(ModerationAction.details)
        .join(ModerationCase, ModerationCase.id == ModerationAction.case_id)
        .where(
            ModerationCase.author_id == person_id,
            ModerationAction.action == Deed.SUSPEND.value,
            ModerationAction.undone_at.is_(None),
        )
        .order_by(ModerationAction.id.desc())
        .limit(1)
    )
    free = {"at": None, "reason": None, "until": None}
    lift(
        person_id,
        {**(details or {}).get("person", {}), **free},
        "Its time is over.",
        now,
        actor_id=None,
        over=True,
    )
    return True


def _end_reading(person_id: int, actor_id: int, reason: str, now: datetime, signs: Signs | None) -> None:
    session_id = live_session(person_id)
    if session_id is None:
        return
    try:
        readings.end(
            session_id,
            readings.Caller(Role.STAFF, actor_id),
            now,
            signs or Signs(now, None, None),
            reason=reason,
        )
    except (IllegalMove, RingOver, GraceOver):
        # It was over by itself; what settling it found is kept.
        return


def _locked(person_id: int) -> Person:
    person: Person | None = db.session.scalar(
        select(Person)
        .where(Person.id == person_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if person is None:
        raise NotFound(f"There is no person {person_id}.")
    return person


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
