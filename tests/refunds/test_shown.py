"""Where a refund is seen: beneath the receipt of its reading, for both, and in the client's history."""

from decimal import Decimal

import pytest

from soulseer.db import transaction
from soulseer.domain.readings import Role
from soulseer.services import receipts
from tests.admin.conftest import Browser, sign_in
from tests.factories import person
from tests.readings.room import Room
from tests.refunds.steps import READING, Source, asked, reading


@pytest.fixture
def room(app) -> Room:
    made = reading(minutes=2)
    support = person("support").id
    for amount in ("3.00", "2.00"):
        asked(Source(READING, made.id), amount, support)
    return made


def test_beneath_the_receipt(room: Room) -> None:
    with transaction():
        session = room.session
        client, reader = (receipts.receipt(session, role) for role in (Role.CLIENT, Role.READER))
    assert [line.amount for line in client.refunds] == [Decimal("-3.00"), Decimal("-2.00")]
    assert (client.total, client.left) == (Decimal("20.00"), Decimal("15.00"))
    assert [line.amount for line in reader.refunds] == [Decimal("-2.10"), Decimal("-1.40")]
    assert (reader.total, reader.left) == (Decimal("14.00"), Decimal("10.50"))


def test_on_the_pages(room: Room, migrated_app) -> None:
    client = Browser(sign_in(migrated_app, room.client.id), room.client.id)
    text = client.get(f"/readings/{room.id}/").text
    assert "Given back later" in text
    assert "After refunds" in text
    assert "$15.00" in text
    history = client.get("/wallet/").text
    assert "$3.00" in history
    assert "Refund" in history
    assert "/wallet/refunds/" in history
    listed = client.get("/wallet/refunds/").text
    assert listed.count("It is in your wallet.") == 2
    reader = Browser(sign_in(migrated_app, room.reader.person_id), room.reader.person_id)
    text = reader.get(f"/readings/{room.id}/").text
    assert "After refunds" in text
    assert "$10.50" in text
