"""A room for tests: two participants whose calls happen at chosen seconds after START."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from soulseer.blueprints import room_calls
from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.jobs import billing_tick, expire_grace_periods, session_finalize
from soulseer.jobs.context import JobContext
from soulseer.models.readings import ReadingSession
from soulseer.services import ledger, readings
from soulseer.services.readings import Meter
from tests import factories
from tests.factories import START

MOVES = {"join": readings.join, "leave": readings.leave, "reconnect": readings.reconnect, "end": readings.end}


def at(seconds: float) -> datetime:
    """The instant ``seconds`` after START."""
    return START + timedelta(seconds=seconds)


class Room:
    """One session between a client with ``wallet`` dollars and a reader at ``rate`` a minute, requested at second 0."""

    def __init__(self, wallet: str = "50.00", rate: str = "1.99", modality: str = "text") -> None:
        self.client = factories.person(wallet=wallet)
        self.reader = factories.reader(rate)
        # Plain numbers, so that threads share no object of anybody's database session.
        self._people = {"client": self.client.id, "reader": self.reader.person_id}
        with transaction():
            self.id = readings.request(self.client.id, self.reader.slug, modality, at(0)).id

    def person(self, who: str) -> int:
        return self._people[who]

    def beat(self, who: str, second: float) -> Meter:
        """A heartbeat."""
        return room_calls.look(self.id, self.person(who), at(second))

    def do(self, action: str, who: str, second: float) -> Meter:
        """join, leave, reconnect or end."""
        return room_calls.move(MOVES[action], self.id, self.person(who), at(second))

    def start(self, second: float = 0) -> "Room":
        """Both join at ``second``."""
        self.do("join", "client", second)
        self.do("join", "reader", second)
        return self

    def beats(self, first: float, last: float, *who: str, every: float = 10) -> None:
        """Heartbeats of ``who`` (both by default) from ``first`` to ``last``."""
        second = first
        while second <= last:
            for one in who or ("client", "reader"):
                self.beat(one, second)
            second += every

    def tick(self, second: float, **more: Any) -> dict[str, Any]:
        return billing_tick.run(JobContext(now=at(second), **more))

    def expire(self, second: float) -> dict[str, Any]:
        return expire_grace_periods.run(JobContext(now=at(second)))

    def finalize(self, second: float) -> dict[str, Any]:
        return session_finalize.run(JobContext(now=at(second)))

    @property
    def session(self) -> ReadingSession:
        db.session.rollback()
        return db.session.get_one(ReadingSession, self.id, populate_existing=True)

    @property
    def wallet(self) -> Decimal:
        db.session.rollback()
        return ledger.balance(AccountKind.CLIENT_WALLET, self.client.id)

    @property
    def earnings(self) -> Decimal:
        db.session.rollback()
        return ledger.balance(AccountKind.READER_EARNINGS_PENDING, self.reader.person_id)
