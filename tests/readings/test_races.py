"""Many calls at once on one session, one reader, one client, one wallet: one effect, and the books stay clean."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import SoulSeerError
from soulseer.domain.transfers import TransferKind
from soulseer.models.readings import LiveParticipant, ReadingSession, ReadingSessionEvent
from soulseer.services import earnings, ledger, ledger_check, readings
from tests import factories
from tests.factories import START
from tests.readings.room import Room, at


def at_once(app: Flask, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all calls at the same moment, each in a thread and context of its own: results, or the errors of ours.

    Anything else that a call raises (a deadlock, a broken constraint) fails the test.
    """
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        with app.app_context():
            barrier.wait(30)
            try:
                return call()
            except SoulSeerError as error:
                return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def outcomes(results: Sequence[Any]) -> Counter[str]:
    return Counter(result.code if isinstance(result, SoulSeerError) else "ok" for result in results)


def tip(client_id: int, reader_id: int, cents: int, key: str) -> bool:
    """Give the reader a tip; whether it is new."""
    with transaction():
        amount = Decimal(cents) / 100
        postings = [
            ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, client_id), -amount),
            ledger.Posting(ledger.account_id(AccountKind.READER_EARNINGS_PENDING, reader_id), amount / 2),
            ledger.Posting(ledger.account_id(AccountKind.PLATFORM_REVENUE), amount / 2),
        ]
        transaction_id, new = ledger.post(TransferKind.SHOP_ORDER, key, postings, START)
        earnings.record_movement(reader_id, "tip", amount / 2, transaction_id, START)
        return new


def test_forty_spends_at_once_take_exactly_what_the_wallet_can_pay(app: Flask) -> None:
    client, reader = factories.person(wallet="25.99"), factories.reader()
    ids = client.id, reader.person_id
    found = at_once(app, [lambda n=n: tip(*ids, 200, f"tip-{n}") for n in range(40)])  # type: ignore[misc]
    assert outcomes(found) == {"ok": 12, "insufficient_funds": 28}
    assert ledger.balance(AccountKind.CLIENT_WALLET, client.id) == Decimal("1.99")
    assert ledger.balance(AccountKind.READER_EARNINGS_PENDING, reader.person_id) == Decimal("12.00")
    assert ledger.platform_balance(AccountKind.PLATFORM_REVENUE) == Decimal("12.00")
    assert ledger_check.check() == []


def test_one_key_forty_times_at_once_is_one_movement(app: Flask) -> None:
    client, reader = factories.person(wallet="25.99"), factories.reader()
    ids = client.id, reader.person_id
    found = at_once(app, [lambda: tip(*ids, 200, "tip") for _ in range(40)])
    assert Counter(found) == {True: 1, False: 39}
    assert ledger.balance(AccountKind.CLIENT_WALLET, client.id) == Decimal("23.99")
    assert ledger_check.check() == []


def events(room: Room) -> Counter[str]:
    db.session.rollback()
    rows = db.session.scalars(
        select(ReadingSessionEvent.action).where(ReadingSessionEvent.reading_session_id == room.id)
    )
    return Counter(rows)


def test_twenty_joins_at_once_charge_one_minute(app: Flask) -> None:
    room = Room(rate="1.00")
    who = ["client", "reader"] * 10
    found = at_once(app, [lambda one=one: room.do("join", one, 5) for one in who])  # type: ignore[misc]
    assert outcomes(found) == {"ok": 20}
    assert (room.session.state, room.session.minutes_billed, room.wallet) == ("active", 1, Decimal("49.00"))
    assert events(room) == {"request": 1, "open": 1, "join": 2}


def test_twenty_ends_at_once_are_one_end(app: Flask) -> None:
    room = Room(rate="3.00").start(0)
    who = ["client", "reader"] * 10
    found = at_once(app, [lambda one=one: room.do("end", one, 20) for one in who])  # type: ignore[misc]
    assert outcomes(found) == {"ok": 1, "illegal_move": 19}
    credited = room.session.end_reason == "reader_ended"
    assert room.wallet == Decimal("49.00" if credited else "47.00")
    assert events(room)["end"] == 1
    assert room.finalize(21)["finalized"] == 1
    assert ledger_check.check() == []


def test_ends_joins_beats_and_ticks_at_once(app: Flask) -> None:
    room = Room(rate="1.00").start(0)
    room.beats(10, 60)
    calls: list[Callable[[], Any]] = []
    for _ in range(5):
        calls += [
            lambda: room.do("end", "reader", 65),
            lambda: room.do("join", "client", 65),
            lambda: room.beat("client", 65),
            lambda: room.tick(65, assume_present=True),
        ]
    found = at_once(app, calls)
    assert set(outcomes(found)) <= {"ok", "illegal_move"}
    session = room.session
    assert (session.state, session.minutes_billed, session.end_reason) == ("ended", 2, "reader_ended")
    assert session.credit_cents == round(Decimal(100 * 55) / 60)
    assert events(room)["end"] == 1
    assert room.finalize(66)["finalized"] == 1
    assert ledger_check.check() == []


def test_reconnects_and_joins_at_once_resume_once(app: Flask) -> None:
    room = Room(rate="1.00").start(0)
    room.do("leave", "client", 20)
    room.beat("reader", 30)
    found = at_once(app, [lambda one=one: room.do("reconnect", one, 35) for one in ["client", "reader"] * 8])  # type: ignore[misc]
    assert outcomes(found) == {"ok": 16}
    found = at_once(app, [lambda one=one: room.do("join", one, 40) for one in ["client", "reader"] * 8])  # type: ignore[misc]
    assert outcomes(found) == {"ok": 16}
    session = room.session
    assert (session.state, session.reconnects, session.minutes_billed) == ("active", 1, 1)
    assert session.paid_until == at(80)


def request(client_id: int, slug: str, seconds: float = 0) -> int:
    with transaction():
        return readings.request(client_id, slug, "text", at(seconds)).id


def live_rows() -> tuple[int, int]:
    db.session.rollback()
    return (
        db.session.scalar(select(func.count()).select_from(ReadingSession)) or 0,
        db.session.scalar(select(func.count()).select_from(LiveParticipant)) or 0,
    )


def test_many_clients_ask_for_one_reader_at_once(app: Flask) -> None:
    reader = factories.reader()
    clients = [factories.person(wallet="10.00").id for _ in range(16)]
    slug = reader.slug
    found = at_once(app, [lambda one=one: request(one, slug) for one in clients])  # type: ignore[misc]
    assert outcomes(found) == {"ok": 1, "already_in_a_reading": 15}
    assert live_rows() == (1, 2)


def test_one_client_asks_for_many_readers_at_once(app: Flask) -> None:
    client = factories.person(wallet="10.00")
    slugs = [factories.reader().slug for _ in range(16)]
    client_id = client.id
    found = at_once(app, [lambda one=one: request(client_id, one) for one in slugs])  # type: ignore[misc]
    assert outcomes(found) == {"ok": 1, "already_in_a_reading": 15}
    assert live_rows() == (1, 2)


def test_readers_who_ask_for_one_another_at_once_do_not_wait_in_a_circle(app: Flask) -> None:
    readers = [factories.reader() for _ in range(8)]
    with transaction():
        for one in readers:
            factories.fund(one.person_id, "10.00")
    ring = [(one.person_id, readers[place - 1].slug) for place, one in enumerate(readers)]
    found = at_once(app, [lambda pair=pair: request(*pair) for pair in ring])  # type: ignore[misc]
    done = outcomes(found)
    assert 1 <= done["ok"] <= 4
    assert set(done) <= {"ok", "already_in_a_reading"}
    assert live_rows() == (done["ok"], 2 * done["ok"])


def test_a_ring_that_is_over_is_ended_once_by_many_requests(app: Flask) -> None:
    room = Room()
    clients = [factories.person(wallet="10.00").id for _ in range(12)]
    slug = room.reader.slug
    found = at_once(app, [lambda one=one: request(one, slug, 120) for one in clients])  # type: ignore[misc]
    assert outcomes(found) == {"ok": 1, "already_in_a_reading": 11}
    assert (room.session.state, events(room)["no_answer"]) == ("ended", 1)


def test_a_credit_waits_for_its_accounts_in_id_order(app: Flask) -> None:
    """Whoever holds the wallet may still lock the earnings: the end that gives a credit back holds nothing meanwhile."""
    room = Room(rate="3.00").start(0)
    wallet, earnings = (
        ledger.account_id(AccountKind.CLIENT_WALLET, room.client.id),
        ledger.account_id(AccountKind.READER_EARNINGS_PENDING, room.reader.person_id),
    )
    assert wallet < earnings
    waits, result = threading.Event(), []

    def end() -> None:
        with app.app_context():
            waits.set()
            result.append(room.do("end", "reader", 20).session.state)

    with transaction():
        lock = text("SELECT id FROM ledger_account WHERE id = :id FOR NO KEY UPDATE")
        db.session.execute(lock, {"id": wallet})
        thread = threading.Thread(target=end)
        thread.start()
        assert waits.wait(10)
        _until_somebody_waits(app)
        db.session.execute(text("SET LOCAL lock_timeout = '500ms'"))
        db.session.execute(lock, {"id": earnings})
    thread.join(20)
    assert result == ["ended"]


def _until_somebody_waits(app: Flask) -> None:
    """Return once a session of the server waits for a lock."""
    with app.app_context():
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        for _ in range(1000):
            if db.session.scalar(waiting):
                return
            db.session.rollback()
            threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("repetition", range(3))
def test_tips_during_an_end_with_credit_deadlock_nobody(app: Flask, repetition: int) -> None:
    rooms = [Room(rate="3.00").start(0) for _ in range(8)]
    calls: list[Callable[[], Any]] = []
    for number, room in enumerate(rooms):
        pair = room.client.id, room.reader.person_id
        calls.append(lambda room=room: room.do("end", "reader", 20))  # type: ignore[misc]
        calls += [lambda pair=pair, n=n: tip(*pair, 100, f"{n}") for n in (f"{number}-a", f"{number}-b")]  # type: ignore[misc]
    assert outcomes(at_once(app, calls)) == {"ok": 24}
    assert ledger_check.check() == []
