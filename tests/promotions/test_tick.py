"""The tick with a few promotional clients among many, cut short between conversion and charge, and many spends at once."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from flask import Flask
from sqlalchemy import event, text

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import InsufficientFunds
from soulseer.domain.transfers import TransferKind
from soulseer.jobs import billing_tick
from soulseer.jobs.context import JobContext
from soulseer.services import ledger, ledger_check, promotion_spending
from tests import bulk, factories
from tests.factories import START
from tests.promotions.credit import credit, give, grants
from tests.readings.test_races import at_once, outcomes

RATE = 199
REPOSITORY = Path(__file__).resolve().parents[2]


def tick(seconds: float, **more: object) -> dict[str, object]:
    return billing_tick.run(JobContext(now=START + timedelta(seconds=seconds), assume_present=True, **more))  # type: ignore[arg-type]


def clients() -> dict[int, int]:
    """Client by session."""
    db.session.rollback()
    return dict(db.session.execute(text("SELECT id, client_id FROM reading_session")).all())  # type: ignore[arg-type]


def minutes() -> dict[int, int]:
    db.session.rollback()
    return dict(db.session.execute(text("SELECT id, minutes_billed FROM reading_session")).all())  # type: ignore[arg-type]


def wallets() -> dict[int, int]:
    """Cents in the wallet by session."""
    db.session.rollback()
    sql = "SELECT s.id, w.balance FROM reading_session s JOIN ledger_account w ON w.id = s.client_account_id"
    return dict(db.session.execute(text(sql)).all())  # type: ignore[arg-type]


def test_some_pay_with_credit_among_many_who_pay_cash(app: Flask) -> None:
    ids = bulk.sessions([RATE * 10] * 60)
    owners = clients()
    credited = {one: (number + 1) * 100 for number, one in enumerate(ids[::6])}
    for one, cents in credited.items():
        give(owners[one], str(Decimal(cents) / 100))
    # Some who are in no reading now, and one whose credit has expired: they are not looked at.
    for _ in range(5):
        give(factories.person().id, "5.00")
    expired = ids[1]
    give(owners[expired], "5.00", 100)
    counts = tick(305)
    assert (counts["minutes"], counts["error"], counts["retries"]) == (60 * 5, 0, 0)
    assert set(minutes().values()) == {6}
    for one, cents in wallets().items():
        assert cents == RATE * 9 - RATE * 5 + min(credited.get(one, 0), RATE * 5)
    assert credit(owners[expired]) == Decimal("5.00")
    for one, cents in credited.items():
        assert credit(owners[one]) == Decimal(max(0, cents - RATE * 5)) / 100
    assert ledger_check.check() == []


def test_who_has_only_credit_is_served_by_it_and_then_paused(app: Flask) -> None:
    ids = bulk.sessions([RATE] * 4)
    owners = clients()
    for one, amount in zip(ids, ("1.99", "3.97", "3.98", None), strict=True):
        if amount:
            give(owners[one], amount)
    tick(305)
    assert minutes() == dict(zip(ids, (2, 2, 3, 1), strict=True))
    assert [str(credit(owners[one])) for one in ids] == ["0.00", "1.98", "0.00", "0.00"]
    assert set(wallets().values()) == {0}
    assert ledger_check.check() == []


def test_the_dry_run_counts_what_credit_pays(app: Flask) -> None:
    ids = bulk.sessions([RATE + 99] * 2)
    owners = clients()
    bulk.see(ids, START + timedelta(seconds=330))
    give(owners[ids[0]], "4.98")
    now = START + timedelta(seconds=331)
    charges = billing_tick.run(JobContext(now=now, dry_run=True))["charges"]
    assert [(line["session"], line["minutes"]) for line in charges] == [(ids[0], [2, 4])]


def test_without_credit_a_tick_asks_one_statement_more(app: Flask) -> None:
    bulk.sessions([RATE * 10] * 5)
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "promotional" in statement:
            asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        tick(305)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) == 1


def test_two_parts_spend_each_credit_once(app: Flask) -> None:
    with transaction():
        db.session.execute(text("SELECT setval(pg_get_serial_sequence('reading_session', 'id'), 4080)"))
    ids = bulk.sessions([RATE * 3] * 40)
    for owner in clients().values():
        give(owner, "1.99")
    first = tick(70, arguments={"part": "1/2"})
    second = tick(70, arguments={"part": "2/2"})
    assert first["minutes"]
    assert second["minutes"]
    assert first["minutes"] + second["minutes"] == 40  # type: ignore[operator]
    assert set(wallets().values()) == {RATE * 2}
    assert len(ids) == 40
    assert ledger_check.check() == []


_KILLED = """
import os, signal, sys
from datetime import datetime
from soulseer.app import create_app
from config.settings import load_settings
from soulseer.jobs import billing_tick
from soulseer.jobs.context import JobContext
from soulseer.services import billing, promotion_spending

def killed(*arguments, **more):
    from soulseer.db import db
    from sqlalchemy import text
    found = db.session.scalar(text("SELECT count(*) FROM ledger_transaction WHERE kind = 'promotion_spent'"))
    sys.stdout.write(f"{found} conversions\\n"); sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)

with create_app(load_settings()).app_context():
    billing.charge = killed
    billing_tick.run(JobContext(now=datetime.fromisoformat(sys.argv[1]), assume_present=True))
"""


def test_killed_between_conversion_and_charge_nothing_has_moved(app: Flask) -> None:
    bulk.sessions([RATE * 3] * 6)
    owners = clients()
    for owner in owners.values():
        give(owner, "2.50")
    now = (START + timedelta(seconds=130)).isoformat()
    child = subprocess.run(
        [sys.executable, "-c", _KILLED, now],
        cwd=REPOSITORY,
        env=dict(os.environ),
        capture_output=True,
        timeout=120,
    )
    assert (child.returncode, child.stdout) == (-signal.SIGKILL, b"6 conversions\n"), child.stderr
    assert set(minutes().values()) == {1}
    assert {credit(owner) for owner in owners.values()} == {Decimal("2.50")}
    assert ledger_check.check() == []
    assert tick(130)["minutes"] == 12
    assert {credit(owner) for owner in owners.values()} == {Decimal("0.00")}
    assert set(wallets().values()) == {RATE * 2 - (2 * RATE - 250)}
    assert ledger_check.check() == []


def test_forty_spends_at_once_take_exactly_what_credit_and_cash_can_pay(app: Flask) -> None:
    client = factories.person(wallet="5.00")
    for amount, seconds in (("3.00", 600), ("4.00", 300), ("2.00", 900)):
        give(client.id, amount, seconds)
    person_id = client.id

    def spend(number: int) -> None:
        with transaction():
            promotion_spending.cover(
                person_id, Decimal("1.00"), f"spend:{number}", f"shop_order:{number}", START
            )
            wallet = ledger.account_id(AccountKind.CLIENT_WALLET, person_id)
            revenue = ledger.account_id(AccountKind.PLATFORM_REVENUE)
            postings = [ledger.Posting(wallet, Decimal("-1.00")), ledger.Posting(revenue, Decimal("1.00"))]
            ledger.post(TransferKind.SHOP_ORDER, f"shop_order:{number}", postings, START)

    found = outcomes(at_once(app, [lambda number=number: spend(number) for number in range(40)]))
    assert found == {"ok": 14, InsufficientFunds.code: 26}
    assert {state for *_, state in grants(person_id)} == {"spent"}
    assert (credit(person_id), ledger.balance(AccountKind.CLIENT_WALLET, person_id)) == (0, 0)
    assert ledger_check.check() == []


def test_ticks_and_heartbeats_at_once_spend_each_cent_once(app: Flask) -> None:
    from soulseer.blueprints import room_calls

    ids = bulk.sessions([RATE * 4] * 20)
    owners = clients()
    for owner in owners.values():
        give(owner, "3.00")
    bulk.see(ids, START + timedelta(seconds=170))
    now = START + timedelta(seconds=171)

    calls = [lambda: billing_tick.run(JobContext(now=now)) for _ in range(4)]
    calls += [lambda one=one: room_calls.look(one, owners[one], now) for one in ids]  # type: ignore[misc]
    at_once(app, calls)
    tick(175)
    assert set(minutes().values()) == {3}
    assert set(wallets().values()) == {RATE * 3 - (2 * RATE - 300)}
    assert {credit(owner) for owner in owners.values()} == {Decimal("0.00")}
    assert ledger_check.check() == []
