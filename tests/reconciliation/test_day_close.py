"""Closing days: in order, only when nothing is open, and for good."""

import threading
from datetime import date, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from soulseer.db import db, transaction
from soulseer.domain.errors import Conflict, InvalidInput
from soulseer.models.operations import AuditEntry
from soulseer.models.reconciliation import ClosedDay, ReconciliationDifference, ReconciliationRun
from soulseer.services import day_close
from tests.factories import START, fund, person

DAY = START.date()
NEXT = START + timedelta(days=1)
REASON = "The day agrees with Stripe."


def compared(at=NEXT + timedelta(days=5)) -> None:  # type: ignore[no-untyped-def]
    """A comparison that has found nothing."""
    zero = Decimal(0)
    with transaction():
        db.session.add(
            ReconciliationRun(
                at=at, whole=True, imported=0, booked=0, compared=0, differing=0, open_by_class={}, ledger_balance=zero,
                stripe_available=zero, stripe_pending=zero, gap=zero, explained=zero, unexplained=zero, unaccounted=zero,
                entries_through=0, lines_through=0,
            )
        )  # fmt: skip


def difference(day: date, kind: str = "amount", state: str = "open") -> int:
    with transaction():
        row = ReconciliationDifference(
            reference=f"pi_{day}_{kind}", difference_class=kind, state=state, words="", ledger_amount=Decimal(1),
            stripe_amount=Decimal(2), gap=Decimal(1), day=day, first_seen_at=START, last_seen_at=START,
            settled_at=None if state == "open" else START,
        )  # fmt: skip
        db.session.add(row)
    return row.id


def close(through: date, actor: int, now=NEXT + timedelta(days=6)) -> list[date]:  # type: ignore[no-untyped-def]
    with transaction():
        return day_close.close(through, actor, REASON, now)


def test_days_are_closed_in_order_with_their_sums(app: Flask) -> None:
    finance = person("finance", wallet="30.00")
    with transaction():
        fund(finance.id, "12.50", START + timedelta(days=2))
    compared()
    with transaction():
        standing = day_close.standing(NEXT + timedelta(days=6))
    assert (standing.first, standing.hindrances) == (
        DAY,
        ((DAY + timedelta(days=6), "The last comparison with Stripe's list was at 2026-11-26 12:00 UTC."),),
    )
    assert standing.closable() == DAY + timedelta(days=5)
    assert close(DAY + timedelta(days=2), finance.id) == [DAY + timedelta(days=number) for number in range(3)]
    with transaction():
        rows = db.session.scalars(select(ClosedDay).order_by(ClosedDay.day)).all()
        said = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "day.closed")).one()
    assert [row.sums for row in rows] == [
        {"adjustment": {"count": 1, "amount": "30.00"}},
        {},
        {"adjustment": {"count": 1, "amount": "12.50"}},
    ]
    assert {(row.closed_by, row.reason) for row in rows} == {(finance.id, REASON)}
    assert (said.object_id, said.actor_id, said.reason) == ("2026-11-22", finance.id, REASON)
    with pytest.raises(Conflict, match="closed already"):
        close(DAY, finance.id)


def test_a_closed_day_refuses_money_and_today_takes_the_correction(app: Flask) -> None:
    finance = person("finance", wallet="30.00")
    compared()
    close(DAY, finance.id)
    with pytest.raises(IntegrityError, match="2026-11-20 is closed"), transaction():
        fund(finance.id, "1.00", START)
    with transaction():
        fund(finance.id, "1.00", NEXT)


def test_what_is_open_hinders_and_what_is_explained_does_not(app: Flask) -> None:
    finance = person("finance", wallet="30.00")
    compared()
    found = difference(DAY)
    difference(DAY, "timing")
    difference(DAY, "unexplained", "explained")
    with pytest.raises(Conflict, match="1 difference is open on 2026-11-20"):
        close(DAY, finance.id)
    with transaction():
        row = db.session.get_one(ReconciliationDifference, found)
        row.state, row.settled_at = "closed", START
    assert close(DAY, finance.id) == [DAY]
    with transaction():
        assert db.session.get_one(ClosedDay, DAY).explained == 2


def test_without_a_comparison_after_its_end_no_day_is_closed(app: Flask) -> None:
    finance = person("finance", wallet="30.00")
    with pytest.raises(Conflict, match="never compared"):
        close(DAY, finance.id)
    compared(START + timedelta(hours=11))
    with pytest.raises(Conflict, match="last comparison"):
        close(DAY, finance.id)
    compared(START + timedelta(hours=13))
    assert close(DAY, finance.id) == [DAY]


def test_a_day_that_is_not_over_stays_open(app: Flask) -> None:
    finance = person("finance", wallet="30.00")
    compared()
    midnight = NEXT.replace(hour=0)
    for now in (START + timedelta(hours=11), midnight + timedelta(minutes=59, seconds=59)):
        with pytest.raises(InvalidInput):
            close(DAY, finance.id, now)
    assert close(DAY, finance.id, midnight + timedelta(hours=1)) == [DAY]


def test_a_movement_under_way_is_waited_for(app: Flask) -> None:
    """One that has been written but not committed belongs to the day: its sum has it."""
    finance = person("finance", wallet="30.00")
    compared()
    written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with app.app_context(), transaction():
            fund(finance.id, "5.00", START)
            written.set()
            assert may_commit.wait(10)

    def closing() -> None:
        with app.app_context():
            close(DAY, finance.id)

    first, second = threading.Thread(target=slow), threading.Thread(target=closing)
    first.start()
    assert written.wait(10)
    second.start()
    second.join(0.5)
    assert second.is_alive(), "it did not wait"
    may_commit.set()
    first.join(10)
    second.join(10)
    with transaction():
        assert db.session.get_one(ClosedDay, DAY).sums == {"adjustment": {"count": 2, "amount": "35.00"}}
        db.session.execute(text("SELECT 1"))
