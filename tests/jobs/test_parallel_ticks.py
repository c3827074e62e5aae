"""Fifty ticks at once over two thousand due sessions, some short of money: each minute once, and no deadlock surfaces."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.jobs import billing_tick
from soulseer.jobs.context import JobContext
from soulseer.services import ledger, ledger_check
from tests import bulk
from tests.factories import START

RATE = 199
REPOSITORY = Path(__file__).resolve().parents[2]


def later(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


def some_short_of_money(count: int, minutes: int) -> list[int]:
    """Wallets for ``minutes`` and more, but every seventh with a cent less than the second minute."""
    return [RATE * 2 - 1 if number % 7 == 0 else RATE * (minutes + 1) for number in range(count)]


def verify(ids: list[int], minutes: int) -> None:
    """The short ones have paid one minute and stand still as of its end; all others have paid ``minutes``."""
    db.session.rollback()
    short = set(ids[::7])
    booked = dict(
        db.session.execute(text("SELECT reading_session_id, count(*) FROM reading_minute GROUP BY 1"))
        .tuples()
        .all()
    )
    assert booked == {one: 1 if one in short else minutes for one in ids}
    rows = db.session.execute(
        text(
            "SELECT state, pause_cause, minutes_billed, paid_until, count(*) FROM reading_session GROUP BY 1, 2, 3, 4"
        )
    )
    assert {tuple(row) for row in rows} == {
        ("active", None, minutes, later(60 * minutes), len(ids) - len(short)),
        ("paused", "low_balance", 1, later(60), len(short)),
    }
    events = (
        db.session.execute(text("SELECT action, count(*) FROM reading_session_event GROUP BY 1"))
        .tuples()
        .all()
    )
    assert dict(events) == {"low_balance": len(short)}
    assert ledger_check.check() == []


def test_fifty_ticks_at_once_in_threads(app: Flask) -> None:
    ids = bulk.sessions(some_short_of_money(2_000, 3))
    bulk.see(ids, later(185))
    barrier = threading.Barrier(50)

    def tick(number: int) -> dict[str, Any]:
        with app.app_context():
            barrier.wait(60)
            return billing_tick.run(JobContext(now=later(185 + number % 5)))

    with ThreadPoolExecutor(50) as pool:
        counts = list(pool.map(tick, range(50)))
    assert sum(count["error"] for count in counts) == 0
    assert sum(count["paused"] for count in counts) >= 286
    verify(ids, 3)


def test_two_workers_with_a_part_each(app: Flask) -> None:
    with transaction():
        # So that the ids lie in several blocks.
        db.session.execute(text("SELECT setval(pg_get_serial_sequence('reading_session', 'id'), 3500)"))
    ids = bulk.sessions(some_short_of_money(1_400, 2))
    bulk.see(ids, later(125))

    def tick(part: str) -> dict[str, Any]:
        with app.app_context():
            return billing_tick.run(JobContext(now=later(125), arguments={"part": part}))

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(tick, ["1/2", "2/2"]))
    assert all(count["minutes"] for count in counts)
    assert sum(count["minutes"] for count in counts) == 1_200
    assert sum(count["retries"] for count in counts) == 0
    verify(ids, 2)


def test_top_ups_and_spends_during_ticks(app: Flask) -> None:
    """Money comes and goes while the ticks run; whatever the order, the books agree and nobody goes negative."""
    ids = bulk.sessions([RATE * 3] * 300)
    bulk.see(ids, later(305))
    clients = list(db.session.scalars(text("SELECT client_id FROM reading_session ORDER BY id")))
    db.session.rollback()
    stop = threading.Event()

    def move(kind: TransferKind, other: AccountKind, amount: str, step: int) -> int:
        done = 0
        with app.app_context():
            while not stop.is_set():
                client = clients[(done * step) % len(clients)]
                postings = [
                    ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, client), Decimal(amount)),
                    ledger.Posting(ledger.account_id(other), -Decimal(amount)),
                ]
                with transaction():
                    balance = ledger.lock_account(AccountKind.CLIENT_WALLET, client).balance
                    if balance + Decimal(amount) >= 0:
                        ledger.post(kind, f"{kind}:{done}", postings, START)
                done += 1
        return done

    def tick(number: int) -> dict[str, Any]:
        with app.app_context():
            return billing_tick.run(JobContext(now=later(305)))

    with ThreadPoolExecutor(6) as pool:
        top_ups = pool.submit(move, TransferKind.ADJUSTMENT, AccountKind.PLATFORM_PROMOTIONS, "1.00", 7)
        spends = pool.submit(move, TransferKind.SHOP_ORDER, AccountKind.PLATFORM_REVENUE, "-1.99", 11)
        try:
            counts = list(pool.map(tick, range(8)))
        finally:
            stop.set()
        assert top_ups.result(30)
        assert spends.result(30)
    assert sum(count["error"] for count in counts) == 0
    assert ledger_check.check() == []
    db.session.rollback()
    behind = text("SELECT count(*) FROM reading_session WHERE state = 'active' AND paid_until < :cover")
    assert db.session.scalar(behind, {"cover": later(275)}) == 0


_FIVE_TICKS = """
import sys
from datetime import datetime
from soulseer.app import create_app
from soulseer.jobs import billing_tick
from soulseer.jobs.context import JobContext
app = create_app(log_level="ERROR")
with app.app_context():
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(5):
        counts = billing_tick.run(JobContext(now=datetime.fromisoformat(sys.argv[1])))
        print(counts["error"], flush=True)
"""


@pytest.mark.long
def test_fifty_ticks_at_once_in_ten_processes(app: Flask, environment: dict[str, str]) -> None:
    ids = bulk.sessions(some_short_of_money(2_000, 10))
    bulk.see(ids, later(605))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _FIVE_TICKS, later(605).isoformat()],
            cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(10)
    ]  # fmt: skip
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        answers = []
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=200)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert answers == ["0\n" * 5] * 10
    verify(ids, 10)
