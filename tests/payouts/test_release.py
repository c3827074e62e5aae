"""Earnings become available after the hold, less what is owed; once, however often the job runs."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.transfers import TransferKind
from soulseer.jobs import release_earnings
from soulseer.jobs.context import JobContext
from soulseer.models.ledger import LedgerAlert
from soulseer.services import earnings_release, ledger
from tests.factories import START
from tests.money_in.conftest import in_threads
from tests.payouts.world import HELD, LATER, PENDING, Reader, assert_clean, reading


def test_a_reading_is_released_after_seven_days_and_not_before(app) -> None:
    room = reading(minutes=2)
    reader = room.reader.person_id
    earned_at = room.session.finalized_at
    early, late = earned_at + HELD - timedelta(seconds=1), earned_at + HELD
    assert release_earnings.run(JobContext(now=early)) == {"readers": 0, "earnings": 0, "error": 0}
    dry = release_earnings.run(JobContext(now=late, dry_run=True))
    assert dry == {"dry_run": True, "readers": [{"reader": reader, "earnings": 1, "amount": "14.00"}]}
    assert room.earnings == Decimal("14.00")
    assert release_earnings.run(JobContext(now=late)) == {"readers": 1, "earnings": 1, "error": 0}
    assert release_earnings.run(JobContext(now=late)) == {"readers": 0, "earnings": 0, "error": 0}
    assert room.earnings == 0
    assert_clean()


def test_running_minutes_stay_pending(app) -> None:
    reader = Reader()
    reader.earn("5.00")
    reader.release()
    assert reader.balances == ("0.00", "5.00", "0.00")
    assert reader.rows == [("5.00", "0.00", "released")]
    assert_clean()


def test_what_was_taken_back_is_not_released(app) -> None:
    reader = Reader()
    whole, part = reader.earn("5.00"), reader.earn("8.00")
    reader.take_back("5.00", transaction_id=whole)
    reader.take_back("1.50", transaction_id=part)
    reader.release()
    assert reader.balances == ("0.00", "6.50", "0.00")
    assert_clean()


def test_what_is_owed_is_kept_first(app) -> None:
    reader = Reader()
    reader.take_back("12.00")
    reader.earn("5.00")
    reader.earn("10.00")
    reader.release()
    assert reader.balances == ("0.00", "3.00", "0.00")
    assert_clean()


def test_a_single_reader_by_argument(app) -> None:
    one, other = Reader(), Reader()
    one.earn("5.00")
    other.earn("6.00")
    assert release_earnings.run(JobContext(now=LATER, arguments={"reader": str(one.id)}))["readers"] == 1
    assert (one.balances[1], other.balances[1]) == ("5.00", "0.00")


def test_many_earnings_take_several_transactions(app, monkeypatch) -> None:
    monkeypatch.setattr(earnings_release, "BATCH", 2)
    monkeypatch.setattr(release_earnings, "BATCH", 2)
    reader = Reader()
    for _ in range(5):
        reader.earn("1.00")
    assert reader.release() == {"readers": 1, "earnings": 5, "error": 0}
    assert reader.balances == ("0.00", "5.00", "0.00")


def test_four_workers_at_once_release_once(app) -> None:
    reader = Reader()
    for _ in range(6):
        reader.earn("1.00")
    runs = in_threads(app, 4, lambda _: release_earnings.run(JobContext(now=LATER)))
    assert sum(run["earnings"] for run in runs) == 6
    assert reader.balances == ("0.00", "6.00", "0.00")
    assert_clean()


def test_a_refund_and_a_release_at_once_agree(app) -> None:
    reader = Reader()
    for _ in range(4):
        reader.earn("5.00")

    def one(number: int) -> None:
        if number:
            earn_back = Reader.__new__(Reader)
            earn_back.id, earn_back.client_id, earn_back._number = reader.id, reader.client_id, 100
            earn_back.take_back("7.00")
        else:
            release_earnings.run(JobContext(now=LATER))

    in_threads(app, 2, one)
    assert reader.balances == ("0.00", "13.00", "0.00")
    assert_clean()


def test_a_reader_whose_pending_account_holds_too_little_is_an_alert(app) -> None:
    short, fine = Reader(), Reader()
    short.earn("5.00")
    fine.earn("5.00")
    with transaction():
        gone = ledger.Posting(ledger.account_id(PENDING, short.id), Decimal("-1.00"))
        back = ledger.Posting(ledger.account_id(A.CLIENT_WALLET, short.client_id), Decimal("1.00"))
        ledger.post(TransferKind.ADJUSTMENT, "test:gone", [gone, back], START)
    for _ in range(2):
        assert fine.release()["error"] == 1
    assert fine.balances == ("0.00", "5.00", "0.00")
    assert short.rows == [("5.00", "0.00", "pending")]
    db.session.rollback()
    alert = db.session.query(LedgerAlert).one()
    assert (alert.kind, alert.reference) == ("earnings_not_released", f"reader:{short.id}")


def test_a_crash_between_two_rows_releases_nothing(app, monkeypatch) -> None:
    reader = Reader()
    reader.earn("5.00")
    reader.earn("6.00")
    posted = ledger.post
    calls = []

    def dying(*args, **more):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return posted(*args, **more)

    monkeypatch.setattr(ledger, "post", dying)
    assert reader.release() == {"readers": 0, "earnings": 0, "error": 1}
    monkeypatch.setattr(ledger, "post", posted)
    assert reader.balances == ("11.00", "0.00", "0.00")
    assert reader.release() == {"readers": 1, "earnings": 2, "error": 0}
    assert_clean()


def test_a_release_backwards_is_refused(app) -> None:
    reader = Reader()
    reader.earn("5.00")
    reader.release()
    with pytest.raises(Exception, match="may not go from released"), transaction():
        db.session.execute(
            text("UPDATE earning SET state = 'pending', released_at = NULL, release_transaction_id = NULL")
        )
