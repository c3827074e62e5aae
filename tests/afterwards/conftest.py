"""A reading that is over, and browsers of its two sides. The clock stands where it was put."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.people import Person
from soulseer.services import ledger_check, refunds
from soulseer.services.reversals import READING, Source
from tests import factories
from tests.pages.conftest import Browser, browser, statements, visitor  # noqa: F401
from tests.readings.room import Room, at

END = 300


@pytest.fixture
def finished(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Room]:
    """A room whose reading took ``seconds`` with a pause of a minute in it, and is finalized."""
    monkeypatch.setattr(clock, "now", lambda: at(END))

    def made(
        wallet: str = "50.00", seconds: float = 205, *, ended_by: str = "reader", finalize: bool = True
    ) -> Room:
        room = Room(wallet=wallet).start(0)
        room.beats(10, 90)
        room.do("leave", "client", 95)
        room.beats(100, 150, "reader")
        room.do("reconnect", "client", 155)
        room.do("join", "client", 156)
        room.beats(160, seconds - 5)
        room.do("end", ended_by, seconds)
        if finalize:
            assert room.finalize(seconds + 5)["finalized"] == 1
        return room

    return made


@pytest.fixture
def sides(browser: Callable[[Person], Browser]) -> Callable[[Room], tuple[Browser, Browser]]:  # noqa: F811
    """Browsers of the room's client and reader."""

    def open_both(room: Room) -> tuple[Browser, Browser]:
        return browser(room.client), browser(db.session.get_one(Person, room.reader.person_id))

    return open_both


def give_back(room: Room, amount: str, source: Source | None = None) -> None:
    """A refund to the wallet, by finance."""
    staff_id = factories.person("finance").id
    source = source or Source(READING, room.id)
    with transaction():
        refunds.lock_source(source, at(END))
        plan = refunds.locked_plan(source, Decimal(amount))
        refunds.request(source, Decimal(amount), plan.hash, staff_id, "A test", at(END), key=f"k{staff_id}")


def books_are_clean() -> None:
    db.session.rollback()
    assert ledger_check.check() == []
