"""Tips: shared as told, paid once whatever the clicks, by cash only, refundable, and no part of the reading's price."""

import threading
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import (
    Conflict,
    IdempotencyMismatch,
    InsufficientFunds,
    InvalidInput,
    NotFound,
    NotParticipant,
    SpendingFrozen,
)
from soulseer.domain.readings import Role
from soulseer.models.earnings import Earning
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.mail import MailMessage
from soulseer.models.people import Block
from soulseer.models.readers import ReaderProfile
from soulseer.services import holds, ledger, mail_texts, promotion_grants, receipts, tips
from soulseer.services.reversals import TRANSACTION, Source
from tests import factories
from tests.afterwards.conftest import END, books_are_clean, give_back
from tests.readings.room import Room, at

TEN = Decimal("10.00")


def give(
    room: Room, amount: str = "10.00", key: str = "form-1234", client_id: int | None = None
) -> tips.Given:
    with transaction():
        return tips.give(room.id, client_id or room.client.id, Decimal(amount), key, at(END))


def test_it_is_shared_told_and_earned(finished) -> None:
    room = finished()
    before, earned = room.wallet, room.earnings
    given = give(room)
    assert (given.split.reader, given.split.platform, given.new) == (Decimal("7.00"), Decimal("3.00"), True)
    assert (room.wallet, room.earnings) == (before - TEN, earned + 7)
    row = db.session.scalars(select(Earning).where(Earning.transaction_id == given.transaction_id)).one()
    assert (row.source, row.amount, row.state) == ("tip", Decimal("7.00"), "pending")
    told = db.session.scalars(select(MailMessage).where(MailMessage.template == "tip_received")).one()
    assert told.person_id == room.reader.person_id
    words = mail_texts.write(told.template, told.values, handle="x", time_zone="UTC")
    assert words.subject == f"{room.client.handle} gave you a tip of $10.00"
    assert "$7.00 of it is yours" in words.text
    books_are_clean()


def test_the_same_key_is_the_same_tip(finished) -> None:
    room = finished()
    first, again = give(room), give(room)
    assert (again.transaction_id, again.new) == (first.transaction_id, False)
    with pytest.raises(IdempotencyMismatch):
        give(room, "11.00")
    assert give(room, key="form-5678").new
    assert (
        len(db.session.scalars(select(MailMessage).where(MailMessage.template == "tip_received")).all()) == 2
    )


def test_a_cent_that_cannot_be_halved_goes_half_even(finished) -> None:
    room = finished()
    for amount, reader in (("1.05", "0.74"), ("1.15", "0.80"), ("1.01", "0.71")):
        assert give(room, amount, key=f"form-{amount}").split.reader == Decimal(reader)
    books_are_clean()


def test_who_may_not_and_when(finished) -> None:
    room = finished()
    for amount in ("0.99", "200.01"):
        with pytest.raises(InvalidInput):
            give(room, amount)
    for typed in ("", "-5", "1e2", "٥", "5.001", "NaN"):
        with pytest.raises(InvalidInput):
            tips.typed_amount(typed)
    for stranger in (room.reader.person_id, factories.person().id):
        with pytest.raises(NotParticipant):
            give(room, client_id=stranger)
    rung = Room()
    with pytest.raises(Conflict):
        give(rung)
    with pytest.raises(NotFound), transaction():
        tips.give(rung.id + 1, rung.client.id, TEN, "form-1", at(0))
    with pytest.raises(InsufficientFunds) as refusal:
        give(room, "100.00")
    assert refusal.value.missing == 100 - room.wallet
    with transaction():
        holds.place(room.client.id, "dispute", "Looked at.", at(END))
    with pytest.raises(SpendingFrozen):
        give(room)
    with transaction():
        holds.lift(room.client.id, "dispute", at(END))
        db.session.add(Block(blocker_id=room.reader.person_id, blocked_id=room.client.id, created_at=at(END)))
    with pytest.raises(Conflict):
        give(room)
    with transaction():
        db.session.query(Block).delete()
        profile = db.session.get_one(ReaderProfile, room.reader.person_id)
        profile.listed, profile.online, profile.status = False, False, "suspended"
    with pytest.raises(Conflict):
        give(room)
    assert db.session.scalars(select(LedgerTransaction).where(LedgerTransaction.kind == "tip")).all() == []


def test_promotional_credit_pays_no_tip(finished) -> None:
    room = finished(wallet="8.00")
    with transaction():
        ends = at(END) + timedelta(days=9)
        promotion_grants.grant(room.client.id, Decimal("50.00"), ends, "", at(END), key="gift")
    with pytest.raises(InsufficientFunds):
        give(room, "5.00")
    assert give(room, "3.00").new
    assert ledger.balance(AccountKind.CLIENT_PROMOTIONAL_CREDIT, room.client.id) == Decimal("50.00")
    books_are_clean()


def test_it_stands_beside_the_reading_and_is_refunded_like_anything(finished) -> None:
    room = finished()
    total = receipts.receipt(room.session, Role.CLIENT).total
    given = give(room)
    give_back(room, "4.00", Source(TRANSACTION, given.transaction_id))
    for role, amount, returned in ((Role.CLIENT, "10.00", "4.00"), (Role.READER, "10.00", "2.80")):
        receipt = receipts.receipt(room.session, role)
        assert receipt.refunds == ()
        (tip,) = receipt.tips
        assert (tip.amount, tip.earned, tip.returned) == (Decimal(amount), Decimal("7.00"), Decimal(returned))
    assert receipts.receipt(room.session, Role.CLIENT).total == total
    books_are_clean()


def test_many_clicks_at_once_pay_once_and_no_wallet_falls_below_zero(finished, app) -> None:
    room = finished(wallet="30.00")
    client_id, session_id, left = room.client.id, room.id, room.wallet
    begin = threading.Barrier(10)
    refused: list[str] = []

    def click(key: str) -> None:
        with app.app_context():
            begin.wait()
            try:
                with transaction():
                    tips.give(session_id, client_id, TEN, key, at(END))
            except InsufficientFunds:
                refused.append(key)

    # Six times one form; four others, of which the wallet pays one.
    keys = ["form-same"] * 6 + [f"form-{number}" for number in range(4)]
    threads = [threading.Thread(target=click, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    paid = db.session.scalars(select(LedgerTransaction).where(LedgerTransaction.kind == "tip")).all()
    assert len(paid) == int(left // 10) == 2
    assert room.wallet == left - 20 >= 0
    assert len([one for one in paid if one.idempotency_key.endswith("form-same")]) <= 1
    books_are_clean()


def test_the_form_tells_the_split_before_and_after(finished, sides) -> None:
    room = finished()
    client, reader = sides(room)
    page = client.get(f"/readings/{room.id}/").text
    for amount, part in (("$5.00", "$3.50"), ("$10.00", "$7.00"), ("$20.00", "$14.00")):
        assert amount in page
        assert f"gets {part}" in page
    path, key = f"/readings/{room.id}/tip/", str(uuid.uuid4())
    for _ in range(2):
        assert client.post(path, {"choice": "10.00", "request_key": key}).status_code == 303
    page = client.get(f"/readings/{room.id}/").text
    assert "gets $7.00 of your $10.00" in page
    assert page.count("got $7.00 of your $10.00") == 1
    theirs = reader.get(f"/readings/{room.id}/").text
    assert "Of $10.00 from" in theirs
    assert "Give the tip" not in theirs
    for fields, words in (
        ({"choice": "own", "amount": "0.50", "request_key": key}, "A tip is from $1.00"),
        (
            {"choice": "own", "amount": "150", "request_key": "another-key"},
            "is missing. Tips are paid from your own",
        ),
        ({"choice": "own", "amount": "x", "request_key": key}, "Enter an amount"),
        ({"choice": "5.00"}, "load the page again"),
    ):
        assert client.post(path, fields).status_code == 303
        assert words in client.get(f"/readings/{room.id}/").text
    assert reader.post(path, {"choice": "5.00", "request_key": key}).status_code == 403
    books_are_clean()


def test_by_the_api_with_a_key(finished, app, browser) -> None:
    room = finished()
    side = browser(room.client)
    page = side.get(f"/readings/{room.id}/").text
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    path = f"/api/sessions/{room.id}/tips/"

    def post(body: dict, key: str | None = "k1"):
        headers = {"X-CSRFToken": token, **({"Idempotency-Key": key} if key else {})}
        return side.client.post(path, json=body, headers=headers)

    first, again = post({"amount": "10.00"}), post({"amount": "10.00"})
    assert first.status_code == again.status_code == 201
    assert first.get_json() == again.get_json()
    assert (first.get_json()["reader_part"], first.get_json()["platform_part"]) == ("7.00", "3.00")
    assert post({"amount": "11.00"}).status_code == 422
    assert post({"amount": "5.00"}, None).status_code == 201
    assert post({"amount": "150.00"}, "k2").status_code == 402
    assert post({"amount": "0.10"}, "k3").status_code == 422
    assert room.wallet == Decimal("50.00") - Decimal("4.78") - 15
    books_are_clean()
