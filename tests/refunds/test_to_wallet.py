"""A reading, or any movement with a split, given back to the wallet: whose part is how much, and never too much."""

from decimal import Decimal

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import (
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    InvalidInput,
    PreviewChanged,
    SoulSeerError,
)
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.mail import MailMessage
from soulseer.models.refunds import Refund, Reversal
from soulseer.services import earnings, ledger, reversals
from tests.factories import START, person
from tests.money_in.conftest import in_threads
from tests.readings.room import Room
from tests.refunds.steps import (
    READING,
    TRANSACTION,
    Source,
    asked,
    clean,
    dollars,
    gift,
    held,
    preview,
    reading,
    wallet,
)

PENDING, AVAILABLE, OWED = A.READER_EARNINGS_PENDING, A.READER_EARNINGS_AVAILABLE, A.READER_RECEIVABLE


def entries(refund: Refund) -> dict[str, str]:
    return {row["account"]: row["amount"] for row in refund.plan}


def test_a_whole_reading(app, support) -> None:
    room = reading(minutes=2)
    before = wallet(room.client.id)
    made = asked(Source(READING, room.id), "20.00", support)
    assert (made.state, made.destination) == ("settled", "wallet")
    assert entries(made) == {
        "client_wallet": "20.00",
        "reader_earnings_pending": "-14.00",
        "platform_revenue": "-6.00",
    }
    assert wallet(room.client.id) == before + 20
    assert held(PENDING, room.reader.person_id) == 0
    with transaction():
        booked = db.session.get_one(LedgerTransaction, made.transaction_id)
        assert (booked.kind, booked.reading_session_id) == ("refund_to_wallet", room.id)
        told = db.session.scalars(select(MailMessage.template)).all()
    assert told == ["refund_settled"]
    clean()


def test_parts_of_several_refunds_sum_exactly(app, support) -> None:
    """$1.99 of which 70 % is $1.39: seven refunds of three minutes, odd cents each."""
    room = reading(minutes=3, rate="1.99")
    source = Source(READING, room.id)
    for amount in ("0.01", "1.00", "1.99", "0.50", "0.33", "2.00", "0.14"):
        asked(source, amount, support)
    assert held(PENDING, room.reader.person_id) == 0
    with transaction():
        row = db.session.scalars(select(Reversal)).one()
    assert (row.refunded, row.reader_refunded) == (Decimal("5.97"), Decimal("4.17"))
    with pytest.raises(Conflict, match="given back before"):
        preview(source, "0.01")
    clean()


def test_a_part_is_shared_as_a_fair_credit_is(app, support) -> None:
    """share(1.99) − share(1.99 − 1.00) = 1.39 − 0.69."""
    room = reading(minutes=1, rate="1.99")
    plan = preview(Source(READING, room.id), "1.00")
    assert {e.account.value: e.amount for e in plan.entries} == {
        "client_wallet": Decimal("1.00"),
        "reader_earnings_pending": Decimal("-0.70"),
        "platform_revenue": Decimal("-0.30"),
    }


def test_after_a_fair_credit_only_the_rest(app, support) -> None:
    room = Room(rate="3.00").start(0)
    room.beats(10, 60)
    room.do("end", "reader", 80)
    room.finalize(81)
    paid = room.session.cost
    assert Decimal(0) < paid < Decimal("6.00")
    source = Source(READING, room.id)
    with pytest.raises(InvalidInput, match="At most"):
        preview(source, str(paid + Decimal("0.01")))
    asked(source, "0.07", support)
    asked(source, str(paid - Decimal("0.07")), support)
    assert wallet(room.client.id) == dollars("50.00")
    assert held(PENDING, room.reader.person_id) == 0
    clean()


def test_pending_then_available_then_owed(app, support) -> None:
    room = reading(minutes=2)
    reader = room.reader.person_id
    with transaction():
        ledger.open_accounts(reader, [AVAILABLE], START)
        earnings.take_back(reader, Decimal("14.00"), START)
        ledger.post(
            TransferKind.ADJUSTMENT,
            "test:move",
            [
                ledger.Posting(ledger.account_id(PENDING, reader), Decimal("-14.00")),
                ledger.Posting(ledger.account_id(AVAILABLE, reader), Decimal("3.00")),
                ledger.Posting(ledger.account_id(A.PLATFORM_BANK), Decimal("11.00")),
            ],
            START,
        )
    made = asked(Source(READING, room.id), "20.00", support)
    assert entries(made) == {
        "client_wallet": "20.00",
        "reader_earnings_available": "-3.00",
        "reader_receivable": "-11.00",
        "platform_revenue": "-6.00",
    }
    assert held(OWED, reader) == dollars("-11.00")


def test_minutes(app, support) -> None:
    room = reading(minutes=3)
    with transaction():
        whole = reversals.of(Source(READING, room.id))
    assert whole.amount_of(2) == dollars("20.00")
    for wrong in (0, 4, -1):
        with pytest.raises(InvalidInput):
            whole.amount_of(wrong)
    asked(Source(READING, room.id), "15.00", support)
    with transaction():
        assert reversals.of(Source(READING, room.id)).amount_of(2) == dollars("15.00")


def test_any_movement_with_a_split(app, support) -> None:
    client, reader = person(wallet="30.00").id, person("reader").id
    made = gift(client, reader)
    source = Source(TRANSACTION, made)
    for amount in ("3.33", "0.01", "6.67"):
        refund = asked(source, amount, support)
        with transaction():
            assert db.session.get_one(LedgerTransaction, refund.transaction_id).reverses_id == made
    assert wallet(client) == dollars("30.00")
    assert held(PENDING, reader) == 0
    with pytest.raises(Conflict):
        preview(source, "0.01")


def test_what_has_no_split_is_not_given_back(app, support) -> None:
    room = reading(minutes=1)
    back = asked(Source(READING, room.id), "1.00", support)
    assert back.transaction_id is not None
    with pytest.raises(Conflict, match="cannot be refunded"):
        preview(Source(TRANSACTION, back.transaction_id), "1.00")
    with transaction():
        funded = db.session.scalars(
            select(LedgerTransaction.id).where(LedgerTransaction.kind == "adjustment")
        ).first()
    with pytest.raises(Conflict, match="cannot be refunded"):
        preview(Source(TRANSACTION, funded), "1.00")


def test_a_reading_that_is_not_finalized_waits(app, support) -> None:
    room = Room(rate="10.00").start(0)
    room.beats(10, 30)
    with pytest.raises(Conflict, match="once it is finalized"):
        preview(Source(READING, room.id), "1.00")


def test_a_moved_preview_is_refused(app, support) -> None:
    room = reading(minutes=2)
    source = Source(READING, room.id)
    seen = preview(source, "5.00")
    asked(source, "17.00", support)
    with pytest.raises(InvalidInput):
        asked(source, "5.00", support, plan_hash=seen.hash)
    seen = preview(source, "3.00")
    with transaction():
        earnings.take_back(room.reader.person_id, Decimal("1.00"), START)
    with pytest.raises(PreviewChanged):
        asked(source, "3.00", support, plan_hash=seen.hash)
    assert wallet(room.client.id) == dollars("97.00")


def test_the_same_form_twice_is_one_refund(app, support) -> None:
    room = reading(minutes=2)
    source = Source(READING, room.id)
    seen = preview(source, "5.00").hash
    first = asked(source, "5.00", support, key="form-1", plan_hash=seen)
    again = asked(source, "5.00", support, key="form-1", plan_hash=seen)
    assert first.id == again.id
    assert wallet(room.client.id) == dollars("85.00")
    with pytest.raises(IdempotencyMismatch):
        asked(source, "4.00", support, key="form-1")


def test_nobody_decides_about_ones_own_money(app) -> None:
    room = reading(minutes=2)
    for who in (room.client.id, room.reader.person_id):
        with pytest.raises(Forbidden):
            asked(Source(READING, room.id), "5.00", who)
    assert wallet(room.client.id) == dollars("80.00")


def test_twenty_at_once_never_give_more_than_was_paid(app, support) -> None:
    room = reading(minutes=2)
    source, client = Source(READING, room.id), room.client.id
    others = [person("support").id for _ in range(20)]
    seen = preview(source, "3.00").hash

    def one(number: int) -> str:
        try:
            asked(source, "3.00", others[number], plan_hash=seen if number % 2 else "")
            return "done"
        except SoulSeerError as error:
            return error.code

    results = in_threads(app, 20, one)
    assert results.count("done") == 6
    assert set(results) <= {"done", "invalid_input", "conflict", "preview_changed"}
    assert wallet(client) == dollars("98.00")
    clean()


def test_one_form_clicked_ten_times_at_once(app, support) -> None:
    room = reading(minutes=2)
    source, client = Source(READING, room.id), room.client.id
    seen = preview(source, "5.00").hash
    made = in_threads(app, 10, lambda _: asked(source, "5.00", support, key="click", plan_hash=seen).id)
    assert len(set(made)) == 1
    assert wallet(client) == dollars("85.00")
    clean()


def test_a_debt_is_paid_by_what_is_given_back(app, support) -> None:
    room = reading(minutes=2)
    client = room.client.id
    with transaction():
        ledger.open_accounts(client, [A.CLIENT_RECEIVABLE], clock.now())
        ledger.post(
            TransferKind.CHARGEBACK,
            "test:owed",
            [
                ledger.Posting(ledger.account_id(A.CLIENT_RECEIVABLE, client), Decimal("-8.00")),
                ledger.Posting(ledger.account_id(A.STRIPE_CLEARING), Decimal("8.00")),
            ],
            clock.now(),
        )
    before = wallet(client)
    asked(Source(READING, room.id), "20.00", support)
    assert wallet(client) == before + 12
    assert held(A.CLIENT_RECEIVABLE, client) == 0
