"""Who writes, what has been got and read, and whether there is anything new: told between the two pages through Redis, so
that a poll with nothing new reads no message from PostgreSQL and writes nothing there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import Read, after_commit, db
from soulseer.domain.errors import PresenceUnavailable
from soulseer.domain.readings import Role
from soulseer.gateways.talk import Heard
from soulseer.models.readings import ReadingMark, ReadingMessage, ReadingSession

log = structlog.get_logger(__name__)
OTHER = {Role.CLIENT: Role.READER, Role.READER: Role.CLIENT}

_message: Any = ReadingMessage.__table__
_mark: Any = ReadingMark.__table__
# The last number, and a row for each mark that was written; one row of nothing but the number where there is none.
_KNOWN = Read(
    select(
        select(func.coalesce(func.max(_message.c.number), 0))
        .where(_message.c.reading_session_id == bindparam("session"))
        .scalar_subquery()
        .label("last"),
        _mark.c.person_id,
        _mark.c.delivered,
        _mark.c.read,
    )
    .select_from(select(literal_column("1")).subquery("one"))
    .outerjoin(_mark, _mark.c.reading_session_id == bindparam("session"))
)


@dataclass(frozen=True)
class News:
    """What a poll hears: the number of the last message, whether the other side writes, and up to which of the messages
    they have got and read."""

    last: int
    typing: bool
    delivered: int
    read: int


def exchange(
    session: ReadingSession, role: Role, now: datetime, *, delivered: int, read: int, typing: bool | None
) -> News:
    """Tell our own marks and hear the other's. Where Redis is away or has forgotten, PostgreSQL is asked (one read)."""
    try:
        heard = gateways.current().talk.exchange(
            session.id,
            role.value,
            OTHER[role].value,
            now,
            delivered=delivered,
            read=min(read, delivered),
            typing=typing,
        )
    except PresenceUnavailable:
        log.warning("talk_unavailable", session=session.id)
        heard = Heard(None, False, None, None)
    if heard.last is None or heard.delivered is None:
        heard = _from_tables(session, OTHER[role], now, heard)
    last = heard.last or 0
    # A page may say anything; nobody has got what was not sent.
    got, seen = min(heard.delivered or 0, last), min(heard.read or 0, last)
    return News(last, heard.typing, got, seen)


def _from_tables(session: ReadingSession, other: Role, now: datetime, heard: Heard) -> Heard:
    rows = _KNOWN.rows({"session": session.id})
    last = rows[0].last
    by_person = {row.person_id: (row.delivered, row.read) for row in rows if row.person_id is not None}
    marks = {
        role.value: by_person.get(person, (0, 0))
        for role, person in ((Role.CLIENT, session.client_id), (Role.READER, session.reader_id))
    }
    _learn(session.id, last, now, marks)
    delivered, read = marks[other.value]
    return Heard(last, heard.typing, max(delivered, heard.delivered or 0), max(read, heard.read or 0))


def _learn(session_id: int, last: int, now: datetime, marks: dict[str, tuple[int, int]]) -> None:
    try:
        gateways.current().talk.learn(session_id, last, now, marks)
    except PresenceUnavailable:
        log.warning("talk_unavailable", session=session_id)


def written(session: ReadingSession, number: int, now: datetime) -> None:
    """Message ``number`` is being written, in this transaction: keep what Redis knows of both sides with it, and tell
    the pages once it is committed."""
    session_id = session.id
    after_commit(lambda: _learn(session_id, number, now, {}))
    try:
        marks = gateways.current().talk.marks(session_id)
    except PresenceUnavailable:
        return
    people = {Role.CLIENT.value: session.client_id, Role.READER.value: session.reader_id}
    rows = [
        {
            "reading_session_id": session_id,
            "person_id": people[role],
            "delivered": min(delivered, number),
            "read": min(read, delivered, number),
            "updated_at": now,
        }
        for role, (delivered, read) in marks.items()
        if delivered > 0
    ]
    if not rows:
        return
    statement = upsert(ReadingMark).values(rows)
    changed = {name: getattr(statement.excluded, name) for name in ("delivered", "read", "updated_at")}
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["reading_session_id", "person_id"],
            set_=changed,
            where=statement.excluded.delivered > ReadingMark.delivered,
        )
    )
