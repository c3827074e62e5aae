"""A busy reader and people who wait, for tests."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.jobs import tend_waiting
from soulseer.jobs.context import JobContext
from soulseer.models.mail import MailMessage
from soulseer.models.people import Block
from soulseer.models.readings import ReadingSession
from soulseer.models.waiting import FreeNotice, QueuePlace
from soulseer.services import readings, waiting
from tests import factories
from tests.readings.room import Room, at


class Busy(Room):
    """A reader in a reading since second 0; ``join`` queues a new client."""

    def __init__(self) -> None:
        super().__init__("50.00", "1.99")
        self.slug = self.reader.slug
        self.start(0)

    def join(self, second: float, wallet: str = "50.00") -> int:
        client_id = factories.person(wallet=wallet).id
        self.queue(client_id, second)
        return client_id

    def queue(self, client_id: int, second: float) -> int:
        with transaction():
            return waiting.join(client_id, self.slug, at(second)).id

    def tend(self, second: float, **more: Any) -> dict[str, Any]:
        return tend_waiting.run(JobContext(now=at(second), **more))

    def ring(self, client_id: int, second: float) -> int:
        """Ring the reader; the session's id."""
        with transaction():
            return readings.request(client_id, self.slug, "text", at(second)).id

    def over(self, second: float) -> None:
        self.beats(second - 5, second - 5)
        self.do("end", "reader", second)

    def places(self) -> list[str]:
        """States in the order of the queue, with the cause of what was closed."""
        db.session.rollback()
        rows = db.session.scalars(select(QueuePlace).order_by(QueuePlace.id))
        return [f"{row.state}:{row.cause}" if row.cause else row.state for row in rows]

    def notices(self) -> list[str]:
        db.session.rollback()
        return list(db.session.scalars(select(FreeNotice.state).order_by(FreeNotice.id)))


def block(blocker_id: int, blocked_id: int, now: datetime) -> None:
    with transaction():
        db.session.add(Block(blocker_id=blocker_id, blocked_id=blocked_id, created_at=now))


def mails(person_id: int) -> list[str]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(MailMessage.template).where(MailMessage.person_id == person_id).order_by(MailMessage.id)
        )
    )


def bell(person_id: int) -> str | None:
    return gateways.current().presence.bells.heard(person_id).mark


def end_of(session_id: int) -> str | None:
    db.session.rollback()
    return db.session.get_one(ReadingSession, session_id).end_reason
