"""Signed-in browsers: a row each, so that signing out and bans work at once and a lost Redis signs nobody out."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, select, update

from soulseer.db import Read, db
from soulseer.models.people import Login, Person
from soulseer.services.people import COLUMNS, SignedIn, caller_from

LIFETIME = timedelta(days=14)

_login: Any = Login.__table__


def speaking_for(columns: Select[Any]) -> Select[Any]:
    """``columns`` of the person whom the login ``login_id`` speaks for at ``now``."""
    return columns.join(_login, _login.c.person_id == Person.__table__.c.id).where(
        _login.c.id == bindparam("login_id"),
        _login.c.ended_at.is_(None),
        _login.c.expires_at > bindparam("now"),
    )


_SIGNED_IN = Read(
    speaking_for(
        COLUMNS.add_columns(
            _login.c.second_factor, _login.c.created_at.label("login_at"), _login.c.console_seen_at
        )
    )
)


def start(
    person_id: int,
    now: datetime,
    *,
    id_token: str | None,
    address: str | None,
    user_agent: str | None,
    second_factor: bool = False,
) -> uuid.UUID:
    """Record a sign-in; the id that its browser will carry."""
    login = Login(
        id=uuid.uuid4(),
        person_id=person_id,
        created_at=now,
        expires_at=now + LIFETIME,
        id_token=id_token,
        address=address,
        user_agent=(user_agent or "")[:400] or None,
        second_factor=second_factor,
    )
    db.session.add(login)
    db.session.flush()
    return login.id


def signed_in(login_id: uuid.UUID, now: datetime) -> SignedIn | None:
    """Whom this login speaks for, None once it has ended or expired. One statement."""
    row = _SIGNED_IN.first({"login_id": login_id, "now": now})
    if row is None:
        return None
    return caller_from(
        row,
        login_id,
        hold=row.hold,
        online=row.online,
        waits=row.waits,
        second_factor=row.second_factor,
        login_at=row.login_at,
        console_seen_at=row.console_seen_at,
    )


def end(login_id: uuid.UUID, now: datetime) -> str | None:
    """End the login; gives its ID token (for the issuer's own sign-out) and forgets it."""
    id_token = db.session.scalar(select(Login.id_token).where(Login.id == login_id))
    db.session.execute(
        update(Login)
        .where(Login.id == login_id, Login.ended_at.is_(None))
        .values(ended_at=now, id_token=None)
    )
    return id_token


def end_all(person_id: int, now: datetime) -> int:
    """End every login of a person; how many there were."""
    ended = db.session.execute(
        update(Login)
        .where(Login.person_id == person_id, Login.ended_at.is_(None), Login.expires_at > now)
        .values(ended_at=now, id_token=None)
        .returning(Login.id)
    )
    return len(ended.all())
