"""Earnings are noted at finalization and taken back in the declared order; minutes of a live reading never are."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.transfers import TransferKind
from soulseer.models.earnings import Earning
from soulseer.services import earnings, finalization, ledger
from tests.factories import START, person
from tests.readings.room import Room

PENDING, AVAILABLE, OWED = A.READER_EARNINGS_PENDING, A.READER_EARNINGS_AVAILABLE, A.READER_RECEIVABLE


def finished(minutes: int = 1, rate: str = "10.00") -> Room:
    """A finalized reading of ``minutes`` minutes at ten dollars."""
    room = Room(rate=rate, wallet="500.00").start(0)
    room.beats(10, 60 * minutes)
    room.do("end", "client", 60 * minutes)
    room.finalize(60 * minutes + 1)
    return room


def rows(reader_id: int) -> list[tuple[Decimal, Decimal, str]]:
    db.session.rollback()
    found = db.session.scalars(select(Earning).where(Earning.reader_id == reader_id).order_by(Earning.id))
    return [(row.amount, row.taken_back, row.state) for row in found]


def give(reader_id: int, kind: A, amount: str) -> None:
    """Put money into an earned account by hand."""
    with transaction():
        ledger.open_accounts(reader_id, [kind], START)
        ledger.post(
            TransferKind.ADJUSTMENT,
            f"test:{kind}:{reader_id}:{amount}",
            [
                ledger.Posting(ledger.account_id(A.PLATFORM_PROMOTIONS), -Decimal(amount)),
                ledger.Posting(ledger.account_id(kind, reader_id), Decimal(amount)),
            ],
            START,
        )


def take(reader_id: int, amount: str, **own: int) -> list[tuple[A, Decimal]]:
    """Preview, then take back; both say the same."""
    foreseen = earnings.preview_take_back(reader_id, Decimal(amount), **own)
    with transaction():
        taken = earnings.take_back(reader_id, Decimal(amount), START, **own)
    assert taken == foreseen
    return taken


def test_finalization_notes_the_readers_net_part_once(app) -> None:
    room = finished(minutes=2)
    row = db.session.scalars(select(Earning)).one()
    assert (row.reader_id, row.reading_session_id, row.source) == (room.reader.person_id, room.id, "reading")
    assert (row.amount, row.state) == (Decimal("14.00"), "pending")
    assert row.earned_at == room.session.finalized_at
    assert row.releases_at == row.earned_at + timedelta(days=7)
    with transaction():
        earnings.record(room.session, Decimal("14.00"), START)
        assert finalization.finalize(room.id, START)
    assert rows(room.reader.person_id) == [(Decimal("14.00"), Decimal(0), "pending")]


def test_a_fair_credit_is_not_earned(app) -> None:
    room = Room(rate="3.00").start(0)
    room.beats(10, 60)
    room.do("end", "reader", 80)
    room.finalize(81)
    assert [amount for amount, _, _ in rows(room.reader.person_id)] == [room.earnings]


def test_nothing_earned_leaves_no_row(app) -> None:
    room = Room()
    room.do("end", "client", 5)
    room.finalize(6)
    assert room.session.state == "finalized"
    assert rows(room.reader.person_id) == []


def test_own_earnings_go_first_then_the_newest(app) -> None:
    reader, giver = finished().reader.person_id, person(wallet="10.00").id
    with transaction():
        for number in (1, 2):
            transaction_id, _ = ledger.post(
                TransferKind.GIFT,
                f"test:gift:{number}",
                [
                    ledger.Posting(ledger.account_id(A.CLIENT_WALLET, giver), Decimal("-5.00")),
                    ledger.Posting(ledger.account_id(PENDING, reader), Decimal("5.00")),
                ],
                START,
            )
            earnings.record_movement(reader, "gift", Decimal("5.00"), transaction_id, START)
    own = db.session.scalars(select(Earning.reading_session_id).where(Earning.source == "reading")).one()
    assert take(reader, "8.00", reading_session_id=own) == [(PENDING, Decimal("8.00"))]
    assert [back for _, back, _ in rows(reader)] == [Decimal("7.00"), Decimal(0), Decimal("1.00")]
    first_gift = db.session.scalars(select(Earning.transaction_id).order_by(Earning.id).offset(1)).first()
    assert take(reader, "2.00", transaction_id=first_gift) == [(PENDING, Decimal("2.00"))]
    assert [back for _, back, _ in rows(reader)] == [Decimal("7.00"), Decimal("2.00"), Decimal("1.00")]


def test_then_the_available_and_then_it_is_owed(app) -> None:
    reader = finished().reader.person_id
    give(reader, AVAILABLE, "4.00")
    assert take(reader, "20.00") == [
        (PENDING, Decimal("7.00")),
        (AVAILABLE, Decimal("4.00")),
        (OWED, Decimal("9.00")),
    ]
    assert ledger.balance(OWED, reader) == 0


def test_minutes_of_a_live_reading_are_left_alone(app) -> None:
    room = Room(rate="10.00").start(0)
    reader = room.reader.person_id
    assert ledger.balance(PENDING, reader) == Decimal("7.00")
    assert take(reader, "3.00") == [(OWED, Decimal("3.00"))]


def test_nothing_and_less_than_nothing(app) -> None:
    reader = finished().reader.person_id
    assert take(reader, "0.00") == []
    with pytest.raises(ValueError, match="cannot be taken back"), transaction():
        earnings.take_back(reader, Decimal("-1.00"), START)


def test_two_at_once_do_not_take_the_same(app) -> None:
    from tests.money_in.conftest import in_threads

    reader = finished().reader.person_id

    def one(_number: int) -> list[tuple[A, Decimal]]:
        with transaction():
            taken = earnings.take_back(reader, Decimal("5.00"), START)
            ledger.open_accounts(reader, [OWED], START)
            postings = [ledger.Posting(ledger.account_id(kind, reader), -part) for kind, part in taken]
            revenue = ledger.Posting(ledger.account_id(A.PLATFORM_REVENUE), Decimal("5.00"))
            ledger.post(TransferKind.ADJUSTMENT, f"test:take:{_number}", [*postings, revenue], START)
            return taken

    taken = sorted(in_threads(app, 2, one), key=len)
    assert taken == [[(PENDING, Decimal("5.00"))], [(PENDING, Decimal("2.00")), (OWED, Decimal("3.00"))]]
    assert rows(reader) == [(Decimal("7.00"), Decimal("7.00"), "pending")]
