"""Private notes on people, across sessions: a reader's on a client, a client's on a reader. Shown to their author alone,
in the room and on the receipt (services/receipts.About), and given to them in an export of what is theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.texts import clean_text
from soulseer.models.favourites import PersonNote
from soulseer.models.people import Person
from soulseer.services.reading_texts import LONGEST_NOTE


@dataclass(frozen=True)
class Note:
    """What somebody keeps in mind of ``about`` (a handle)."""

    about: str
    body: str
    updated_at: datetime


def write_about(author_id: int, about_id: int, body: str, now: datetime) -> None:
    """Replace the author's note on a person; an empty one is forgotten. Raises InvalidInput."""
    words = clean_text("note", body, LONGEST_NOTE)
    if not words:
        db.session.execute(
            delete(PersonNote).where(PersonNote.author_id == author_id, PersonNote.about_id == about_id)
        )
        return
    statement = upsert(PersonNote).values(author_id=author_id, about_id=about_id, body=words, updated_at=now)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["author_id", "about_id"], set_={"body": words, "updated_at": now}
        )
    )


def of_author(author_id: int) -> Sequence[Note]:
    """All notes on people that somebody keeps, by handle: for the export of what is theirs."""
    rows = db.session.execute(
        select(Person.handle, PersonNote.body, PersonNote.updated_at)
        .join(Person, Person.id == PersonNote.about_id)
        .where(PersonNote.author_id == author_id)
        .order_by(Person.handle)
    )
    return [Note(*row) for row in rows]
