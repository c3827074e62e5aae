"""What a client sees of promotional credit: the wallet, its own page, the API, the meter, the history."""

from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import event

from soulseer.db import db, transaction
from soulseer.services import ledger_check, promotions, wallets
from tests.promotions.credit import give
from tests.readings.room import Room, at


def test_the_meter_shows_what_can_be_spent_to_the_client_only(app: Flask) -> None:
    room = Room(wallet="5.00", rate="2.00")
    give(room.client.id, "3.00", 100)
    room.start()
    client, reader = room.beat("client", 1), room.beat("reader", 1)
    assert (client.balance, client.promotional) == (Decimal("6.00"), Decimal("1.00"))
    assert (reader.balance, reader.promotional) == (None, None)
    assert room.beat("client", 10).balance == Decimal("6.00")
    give(room.client.id, "4.00", 80)
    room.beats(20, 70)
    paid = room.beat("client", 79)
    assert (paid.balance, paid.promotional) == (Decimal("8.00"), Decimal("3.00"))
    late = room.beat("client", 80)
    assert (late.balance, late.promotional) == (Decimal("6.00"), Decimal("1.00"))


def test_a_heartbeat_with_nothing_due_asks_nothing_more_for_credit(app: Flask) -> None:
    room = Room(wallet="5.00", rate="2.00").start()
    give(room.client.id, "3.00")
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    room.beat("client", 1)
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        room.beat("client", 2)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert sum("promotional_credit" in statement for statement in asked) == 1
    assert len(asked) <= 3


def test_the_history_tells_a_reading_with_the_credit_that_paid_it(app: Flask) -> None:
    room = Room(wallet="10.00", rate="2.00")
    give(room.client.id, "5.00")
    room.start()
    room.beats(10, 150)
    room.do("end", "client", 151)
    lines = wallets.overview(room.client.id)[0].lines
    assert [(line.kind, str(line.amount), line.minutes, str(line.promotional)) for line in lines] == [
        ("reading_minute", "-1.00", 3, "5.00"),
        ("adjustment", "10.00", 0, "0.00"),
    ]
    assert sum(line.amount for line in lines) == room.wallet
    told = wallets.entries(room.client.id).lines
    assert sum(line.amount for line in told) == room.wallet
    assert [line.kind for line in told].count("promotion_spent") == 3
    # Three a page, to the end: nothing is lost and nothing told twice.
    seen, cursor = [], None
    while True:
        page = wallets.overview(room.client.id, cursor, limit=1)[0]
        seen += page.lines
        cursor = page.next
        if cursor is None:
            break
    assert tuple(seen) == lines


@pytest.mark.parametrize("seconds", [0, 99.999999])
def test_holding_names_the_first_end(app: Flask, seconds: float) -> None:
    room = Room(wallet="5.00", rate="2.00")
    give(room.client.id, "1.00", 200)
    give(room.client.id, "2.00", 100)
    held = promotions.holding(room.client.id, at(seconds))
    assert (held.cash, held.promotional, held.next_expiry) == (Decimal("5.00"), Decimal("3.00"), at(100))
    with transaction():
        promotions.expire(2, at(100))
    assert promotions.holding(room.client.id, at(100)).next_expiry == at(200)
    assert ledger_check.check() == []
