"""Links in messages lead out through a page that says so; only links that stand in a message do."""

import re
from urllib.parse import urlsplit

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.readings import ReadingMessage
from soulseer.services import reading_texts, readings

LONGEST = 2000
_HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.I)


def host_of(body: str, to: str) -> str:
    """The host of the address ``to``, as it stands in the message's ``body`` (or as ``www.…`` without the scheme).

    Punycode, so that no letter looks like another. Raises NotFound for an address that is not in it or is none of http.
    """
    bare = to.partition("://")[2]
    if len(to) > LONGEST or not (to in body or (bare.lower().startswith("www.") and bare in body)):
        raise NotFound("This link stands in no message of yours.")
    try:
        parts = urlsplit(to)
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError) as error:
        raise NotFound("This is no address of the web.") from error
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not _HOST.fullmatch(host):
        raise NotFound("This is no address of the web.")
    return host


def checked(session_id: int, number: int, person_id: int, to: str) -> str:
    """The host of a link in a message of a reading that the person is part of. Raises NotFound, NotParticipant."""
    readings.caller_of(readings.find(session_id), person_id)
    message = db.session.get(ReadingMessage, (session_id, number))
    shown = None if message is None else reading_texts.words(message)
    if shown is None:
        raise NotFound("This link stands in no message of yours.")
    return host_of(shown, to)
