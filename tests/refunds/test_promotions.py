"""What promotional credit paid goes back as credit, never as cash: refunds cannot turn one into the other."""

from datetime import timedelta
from decimal import Decimal

import pytest

from soulseer.db import transaction
from soulseer.domain.accounts import AccountKind as A
from soulseer.services import promotion_grants, promotions
from tests.factories import START, person
from tests.readings.room import Room
from tests.refunds.steps import READING, Source, asked, clean, dollars, held, preview, wallet

CREDIT = A.CLIENT_PROMOTIONAL_CREDIT


@pytest.fixture
def room(app) -> Room:
    """Two minutes at ten dollars: the first eight of them by credit, the rest in cash."""
    made = Room(rate="10.00", wallet="50.00")
    with transaction():
        expires_at = START + timedelta(days=30)
        promotion_grants.grant(made.client.id, Decimal("8.00"), expires_at, "", START, key="test")
    made.start(0)
    made.beats(10, 120)
    made.do("end", "client", 120)
    made.finalize(121)
    assert (made.wallet, held(CREDIT, made.client.id)) == (dollars("38.00"), 0)
    return made


def test_cash_first_then_credit(room: Room) -> None:
    support, source, client = person("support").id, Source(READING, room.id), room.client.id
    plan = preview(source, "15.00")
    assert {entry.account: entry.amount for entry in plan.entries if entry.owner_id == client} == {
        A.CLIENT_WALLET: Decimal("12.00"),
        CREDIT: Decimal("3.00"),
    }
    asked(source, "5.00", support)
    assert (wallet(client), held(CREDIT, client)) == (dollars("43.00"), 0)
    asked(source, "10.00", support)
    assert (wallet(client), held(CREDIT, client)) == (dollars("50.00"), dollars("3.00"))
    asked(source, "5.00", support)
    assert (wallet(client), held(CREDIT, client)) == (dollars("50.00"), dollars("8.00"))
    with transaction():
        assert promotions.holding(client, START + timedelta(days=1)).promotional == dollars("8.00")
    clean()


def test_after_a_fair_credit(app) -> None:
    room = Room(rate="10.00", wallet="50.00")
    with transaction():
        expires_at = START + timedelta(days=30)
        promotion_grants.grant(room.client.id, Decimal("15.00"), expires_at, "", START, key="test")
    room.start(0)
    room.beats(10, 60)
    room.do("end", "reader", 90)
    room.finalize(91)
    cost = room.session.cost
    asked(Source(READING, room.id), str(cost), person("support").id)
    assert (wallet(room.client.id), held(CREDIT, room.client.id)) == (dollars("50.00"), dollars("15.00"))
    clean()
