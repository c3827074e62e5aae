"""Things to flag: a finished reading with a review, and with words in it."""

import uuid
from dataclasses import dataclass

from sqlalchemy import update

from soulseer.db import db, transaction
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, Review
from soulseer.models.readings import ReadingMessage
from soulseer.services import flags, reviews
from tests import factories
from tests.factories import START
from tests.readers import sessions


@dataclass(frozen=True)
class Reading:
    client: Person
    reader: ReaderProfile
    session_id: int
    review_id: int
    # ``session:number`` of the reader's third and the client's fourth message.
    message: str
    clients_message: str


def reading() -> Reading:
    """A finished, reviewed reading with six messages, the reader's the odd ones."""
    client, reader = factories.person(), factories.reader()
    session_id = sessions.finished(client.id, reader.person_id)
    with transaction():
        review_id = reviews.write(session_id, client.id, "2", "She is a fraud, call me at 555", START)
        for number in range(1, 7):
            db.session.add(
                ReadingMessage(
                    reading_session_id=session_id,
                    number=number,
                    sender_id=reader.person_id if number % 2 else client.id,
                    client_key=uuid.uuid4(),
                    body=f"words {number}",
                    created_at=START,
                )
            )
    return Reading(client, reader, session_id, review_id, f"{session_id}:3", f"{session_id}:4")


def flag(
    kind: str, object_id: int | str, reporter_id: int | None, reason: str = "insult", **more: object
) -> int:
    """Raise a flag (its case's number)."""
    values = {"note": "", "snapshot": None, "now": START} | more
    with transaction():
        return flags.raise_flag(kind, object_id, reporter_id, reason, **values).case_id  # type: ignore[arg-type]


def change_review(review_id: int, body: str) -> None:
    """As if its author had written other words."""
    with transaction():
        db.session.execute(update(Review).where(Review.id == review_id).values(body=body))


def open_case(reader_id: int, note: str) -> int:
    """A case on a reader's profile (its number), flagged by somebody in these words."""
    return flag("profile", reader_id, factories.person().id, "fraud", note=note)
