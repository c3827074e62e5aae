"""What a client sees of promotional credit: the wallet, its own page, the API, the meter, the history."""

import re
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import event

from soulseer.db import db, transaction
from soulseer.services import ledger_check, promotions, wallets
from tests.admin.conftest import Browser, statements
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


def test_the_wallet_shows_credit_beside_cash_without_asking_more(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    client: Browser = browser("client")
    assert client.person_id is not None
    client.get("/wallet/")
    with statements(app) as without:
        plain = client.get("/wallet/").text
    assert "promotional credit" not in plain
    give(client.person_id, "4.50", 86_400 * 300)
    give(client.person_id, "1.00", 86_400 * 200)
    with statements(app) as counted:
        shown = client.get("/wallet/").text
    assert len(counted) == len(without)
    assert "and $5.50 <a" in shown
    assert "8 Jun 2027" in shown
    # What the header shows is all that can be spent.
    assert re.search(r"data-wallet-balance>\$5\.50<", shown)
    with statements(app) as counted:
        own = client.get("/wallet/promotional-credit/").text
    assert len(counted) <= 3
    assert own.count('data-label="Granted"') == 2
    assert "$4.50" in own
    wallet = client.get("/api/wallet/").json
    assert (wallet["balance"], wallet["promotional"], wallet["spendable"]) == ("0.00", "5.50", "5.50")
    assert wallet["next_expiry"] == "2027-06-08T12:00:00Z"
    assert client.get("/api/me/").json["wallet"]["balance"] == "0.00"


def test_nobody_sees_the_credit_of_somebody_else(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    client, other = browser("client"), browser("client")
    give(client.person_id, "5.00", 86_400 * 300)
    assert "No promotional credit" in other.get("/wallet/promotional-credit/").text
    assert other.get("/api/wallet/").json["promotional"] == "0.00"
    assert browser().get("/wallet/promotional-credit/").status_code in (302, 401)
