"""What a poll of the room begins with, in one statement: whom the login speaks for, and the session as it stands."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam

from soulseer.db import Read
from soulseer.models.readings import ReadingSession
from soulseer.services.logins import speaking_for
from soulseer.services.people import CALLER, SignedIn, caller_from
from soulseer.services.readings import looked_at

_session: Any = ReadingSession.__table__
_NAMES = tuple(attribute.key for attribute in ReadingSession.__mapper__.column_attrs)
_BOTH = Read(
    speaking_for(CALLER)
    .outerjoin(_session, _session.c.id == bindparam("session", type_=BigInteger))
    .add_columns(
        *(
            attribute.columns[0].label(f"of_session_{attribute.key}")
            for attribute in ReadingSession.__mapper__.column_attrs
        )
    )
)


def signed_in_to(
    login_id: uuid.UUID, session_id: int, now: datetime
) -> tuple[SignedIn | None, ReadingSession | None]:
    """Whom the login speaks for (``logins.signed_in``, without what only a page's frame shows), and the session to look
    at only (see ``readings.glance``); None for what there is not."""
    row = _BOTH.first({"login_id": login_id, "session": session_id, "now": now})
    if row is None:
        return None, None
    values = dict(zip(_NAMES, row[-len(_NAMES) :], strict=True))
    return caller_from(row, login_id), looked_at(values) if values["id"] is not None else None
