"""What support does about a person from the console: notes, a suspension with its last day, their readings and logins."""

import uuid
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from soulseer.db import db
from soulseer.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from soulseer.gateways.presence import Signs
from soulseer.models.people import Login, Person
from soulseer.models.staff_care import StaffNote, StaffSuspension
from soulseer.services import audit, console_actions, logins, mail, suspensions
from soulseer.services.case_decisions import LONGEST_SUSPENSION
from soulseer.services.case_rules import refuse_staff
from soulseer.services.console import day_start

MOST_PINNED = 5


def note(person_id: int, actor_id: int, body: str, now: datetime, *, pinned: bool) -> int:
    """Write a note about a person; its id. Its words stand in the note alone, not in the audit log.

    Raises NotFound, Conflict where five are pinned already.
    """
    _locked(person_id)
    if pinned and _pinned(person_id) >= MOST_PINNED:
        raise Conflict(f"{MOST_PINNED} notes are pinned already: withdraw one of them first.")
    made = StaffNote(person_id=person_id, author_id=actor_id, body=body, pinned=pinned, created_at=now)
    db.session.add(made)
    db.session.flush()
    audit.record("person.noted", "person", person_id, now, actor_id=actor_id, details={"note": made.id})
    return made.id


def withdraw_note(person_id: int, note_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Mark a note withdrawn; it stays to be read. Raises NotFound, Conflict where it was before."""
    found = db.session.get(StaffNote, note_id, with_for_update=True, populate_existing=True)
    if found is None or found.person_id != person_id:
        raise NotFound(f"There is no note {note_id} about person {person_id}.")
    if found.withdrawn_at is not None:
        raise Conflict("This note was withdrawn before.")
    found.pinned, found.withdrawn_at, found.withdrawn_by = False, now, actor_id
    details = {"note": note_id}
    audit.record(
        "person.note_withdrawn", "person", person_id, now, actor_id=actor_id, reason=reason, details=details
    )


def suspend(
    person_id: int, last_day: date, actor_id: int, reason: str, now: datetime, signs: Signs | None = None
) -> datetime:
    """Suspend until the end of ``last_day`` (UTC); gives that instant. The person is told by mail until when and reads
    the reason. ``signs``: the last signs of life in the reading that they are in, which ends.

    Raises NotFound, Forbidden (oneself; staff, but by an admin), InvalidInput (``until``), Conflict where suspended.
    """
    refuse_about(person_id, actor_id)
    if not now.date() <= last_day <= (now + LONGEST_SUSPENSION).date():
        days = LONGEST_SUSPENSION.days
        raise InvalidInput("until", f"Last day: today or later, at most {days} days from now.")
    person = _locked(person_id)
    if person.suspended_at is not None:
        raise Conflict("This person is suspended already.")
    until = day_start(last_day) + timedelta(days=1)
    before = suspensions.suspend(person_id, until, reason, actor_id, now, signs)
    db.session.add(
        StaffSuspension(
            person_id=person_id, actor_id=actor_id, reason=reason, at=now, until=until, before=before
        )
    )
    values = {"reason": reason, "until": until.isoformat()}
    mail.queue(
        person_id, "account_suspended", values, now, key=f"account_suspended:{person_id}:{_stamp(now)}"
    )
    return until


def lift(person_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Lift what staff had decided, exactly: everything is as it was before. Raises NotFound, Forbidden, Conflict where
    nobody of staff suspended them, or a case has decided about them since."""
    refuse_about(person_id, actor_id)
    person = _locked(person_id)
    row = suspensions.of_staff(person_id)
    if person.suspended_at is None:
        raise Conflict("This person is not suspended.")
    if row is None or row.at != person.suspended_at:
        raise Conflict("A case suspended this person: a moderator undoes its decision.")
    suspensions.lift(person_id, row.before, reason, now, actor_id=actor_id)
    row.lifted_at, row.lifted_by = now, actor_id
    mail.queue(
        person_id, "account_unsuspended", {}, now, key=f"account_unsuspended:{person_id}:{_stamp(now)}"
    )


def end_reading(person_id: int, actor_id: int, reason: str, now: datetime, signs: Signs) -> int:
    """End the reading that the person is in, as client or reader; its number. Raises NotFound, Conflict where there is
    none, IllegalMove, RingOver, GraceOver."""
    refuse_about(person_id, actor_id)
    session_id = suspensions.live_session(person_id)
    if session_id is None:
        raise Conflict("This person is in no reading now.")
    console_actions.end_session(session_id, actor_id, reason, now, signs)
    return session_id


def end_logins(person_id: int, login_id: uuid.UUID | None, actor_id: int, reason: str, now: datetime) -> int:
    """Sign out one browser of the person, or all (None); how many held until now. Raises NotFound, Forbidden, Conflict
    where none did."""
    refuse_staff(person_id, actor_id)
    _locked(person_id)
    if login_id is None:
        ended = logins.end_all(person_id, now)
    else:
        found = db.session.execute(
            select(Login.ended_at, Login.expires_at).where(Login.id == login_id, Login.person_id == person_id)
        ).one_or_none()
        if found is None:
            raise NotFound("There is no such sign-in of this person.")
        ended = int(found.ended_at is None and found.expires_at > now)
        logins.end(login_id, now)
    if not ended:
        raise Conflict("No sign-in of this kind held any more.")
    details = {"ended": ended, "login": str(login_id)[:8] if login_id else "all"}
    audit.record(
        "person.logins_ended", "person", person_id, now, actor_id=actor_id, reason=reason, details=details
    )
    return ended


def refuse_about(person_id: int, actor_id: int) -> None:
    """Nobody acts on their own account, and only an admin on a member of staff. Raises Forbidden."""
    if person_id == actor_id:
        raise Forbidden("This is your own account: somebody else decides about it.")
    refuse_staff(person_id, actor_id)


def _pinned(person_id: int) -> int:
    count = select(func.count()).where(StaffNote.person_id == person_id, StaffNote.pinned)
    return db.session.scalar(count) or 0


def _locked(person_id: int) -> Person:
    person = db.session.get(Person, person_id, with_for_update={"key_share": True}, populate_existing=True)
    if person is None:
        raise NotFound(f"There is no person {person_id}.")
    return person


def _stamp(now: datetime) -> int:
    return int(now.timestamp() * 1_000_000)
