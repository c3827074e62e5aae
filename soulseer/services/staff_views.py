"""Staff look at the site as a client or reader does: for a while, in one browser, with a reason that is kept."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam

from soulseer.db import Read, db
from soulseer.domain.errors import Forbidden, NotFound
from soulseer.models.people import Person
from soulseer.models.staff_care import StaffView
from soulseer.services import audit, people
from soulseer.services.people import SignedIn, signed_in_from

LASTS = timedelta(minutes=15)
# What the signed cookie carries: the id of the view, never of the person.
KEY = "view_as"

_view: Any = StaffView.__table__
_SEEN = Read(
    people.COLUMNS.add_columns(_view.c.ends_at.label("view_ends_at"))
    .join(_view, _view.c.person_id == Person.__table__.c.id)
    .where(
        _view.c.id == bindparam("view_id"),
        _view.c.staff_id == bindparam("staff_id"),
        _view.c.login_id == bindparam("login_id"),
        _view.c.ended_at.is_(None),
        _view.c.ends_at > bindparam("now"),
    )
)


@dataclass(frozen=True)
class Viewing:
    """What the banner tells: whose pages these are, and until when."""

    handle: str
    ends_at: datetime


def start(person_id: int, staff_id: int, login_id: uuid.UUID | None, reason: str, now: datetime) -> int:
    """Begin a view in the browser of ``login_id``; its id. Raises NotFound, Forbidden (oneself, staff, a bearer token)."""
    person = db.session.get(Person, person_id)
    if person is None:
        raise NotFound(f"There is no person {person_id}.")
    if login_id is None or person_id == staff_id or person.is_staff:
        raise Forbidden("Nobody views as themselves or as a member of staff.")
    made = StaffView(
        staff_id=staff_id,
        person_id=person_id,
        login_id=login_id,
        reason=reason,
        started_at=now,
        ends_at=now + LASTS,
    )
    db.session.add(made)
    db.session.flush()
    details = {"view": made.id, "until": made.ends_at.isoformat()}
    audit.record(
        "person.viewed_as", "person", person_id, now, actor_id=staff_id, reason=reason, details=details
    )
    return made.id


def end(view_id: object, staff_id: int, now: datetime) -> int | None:
    """End one's own view; whose pages it showed, None where there is no such view. Twice is once."""
    row = db.session.get(StaffView, view_id, with_for_update=True) if isinstance(view_id, int) else None
    if row is None or row.staff_id != staff_id:
        return None
    if row.ended_at is None:
        row.ended_at = min(now, row.ends_at)
        audit.record(
            "person.view_ended", "person", row.person_id, now, actor_id=staff_id, details={"view": row.id}
        )
    return row.person_id


def seen(view_id: object, staff: SignedIn, now: datetime) -> tuple[SignedIn, Viewing] | None:
    """The person whose pages ``staff`` sees by this view, and the banner; None once it is over, or where either side's
    roles no longer allow it. One statement.

    The person neither waits nor is online here, so that no page rings or asks for news in their name.
    """
    if not isinstance(view_id, int) or not staff.is_staff or staff.login_id is None:
        return None
    values = {"view_id": view_id, "staff_id": staff.id, "login_id": staff.login_id, "now": now}
    row = _SEEN.first(values)
    if row is None:
        return None
    person = replace(signed_in_from(row), online=False, waits=False, suspended=False)
    if person.is_staff:
        return None
    return person, Viewing(person.handle, row.view_ends_at)
