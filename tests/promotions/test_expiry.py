"""What has expired is booked off once, whenever the job runs; people are told before; the database refuses the rest."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.jobs import expire_promotions
from soulseer.jobs.context import JobContext
from soulseer.models.mail import MailMessage
from soulseer.services import ledger, ledger_check, mail_texts, promotion_spending, promotions
from tests import factories
from tests.factories import START
from tests.promotions.credit import credit, give, grants
from tests.readings.test_races import at_once

DAY = 86_400


def run(days: float, **more: Any) -> dict[str, Any]:
    return expire_promotions.run(JobContext(now=START + timedelta(days=days), **more))


def test_the_rest_goes_back_to_the_platform_once(app: Flask) -> None:
    client, other = factories.person(), factories.person()
    before = ledger.platform_balance(AccountKind.PLATFORM_PROMOTIONS)
    give(client.id, "5.00", 2 * DAY)
    give(client.id, "7.00", 90 * DAY)
    give(other.id, "1.00", 2 * DAY)
    with transaction():
        promotion_spending.cover(client.id, Decimal("2.00"), "k", "tip:1", START)
    dry = run(2, dry_run=True)
    assert (dry["expired"], dry["amount"]) == (2, "4.00")
    assert credit(client.id) == Decimal("10.00")
    counts = run(2)
    assert (counts["expired"], counts["amount"], counts["error"]) == (2, "4.00", 0)
    assert run(2)["expired"] == 0
    assert grants(client.id) == [("5.00", "0.00", "3.00", "expired"), ("7.00", "7.00", "0.00", "open")]
    assert credit(other.id) == 0
    assert ledger.platform_balance(AccountKind.PLATFORM_PROMOTIONS) == before - 9
    # Two dollars lie in the wallet, since no tip followed here; the books agree all the same.
    assert ledger_check.check() == []


def test_not_an_instant_early(app: Flask) -> None:
    client = factories.person()
    give(client.id, "5.00", DAY)
    assert expire_promotions.run(JobContext(now=START + timedelta(days=1, microseconds=-1)))["expired"] == 0
    assert run(1)["expired"] == 1


def test_more_than_a_page_of_them(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expire_promotions, "PAGE", 4)
    for _ in range(11):
        give(factories.person().id, "1.00", DAY)
    assert run(1)["expired"] == 11


def test_one_that_fails_stops_no_other(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [give(factories.person().id, "1.00", DAY) for _ in range(3)]
    expire = promotions.expire

    def failing(credit_id: int, now: Any) -> Decimal:
        if credit_id == ids[1]:
            raise RuntimeError("planted")
        return expire(credit_id, now)

    monkeypatch.setattr(promotions, "expire", failing)
    counts = run(1)
    assert (counts["expired"], counts["error"]) == (2, 1)
    monkeypatch.undo()
    assert run(1)["expired"] == 1


def test_ten_runs_at_once_book_it_once(app: Flask) -> None:
    client = factories.person()
    for _ in range(5):
        give(client.id, "1.00", DAY)
    results = at_once(app, [lambda: run(1) for _ in range(10)])
    assert sum(counts["expired"] for counts in results) == 5
    assert sum(counts["error"] for counts in results) == 0
    assert credit(client.id) == 0
    assert ledger_check.check() == []


def test_the_owner_is_told_three_days_before_and_once(app: Flask) -> None:
    client = factories.person()
    give(client.id, "5.00", 10 * DAY)
    assert run(6.99)["warned"] == 0
    assert run(7, dry_run=True)["warned"] == 1
    assert run(7)["warned"] == 1
    assert run(8)["warned"] == 0
    message = db.session.query(MailMessage).one()
    assert (message.person_id, message.template) == (client.id, "promotion_expiring")
    written = mail_texts.write(message.template, message.values, handle="luna", time_zone="UTC")
    assert written.subject == "$5.00 of your promotional credit expires soon"
    assert "30 Nov 2026" in written.text


def test_nobody_is_told_of_what_is_spent_or_gone(app: Flask) -> None:
    client = factories.person()
    give(client.id, "2.00", 2 * DAY)
    with transaction():
        promotion_spending.cover(client.id, Decimal("2.00"), "k", "tip:1", START)
    give(factories.person().id, "2.00", DAY)
    assert run(1)["warned"] == 0
    assert db.session.query(MailMessage).count() == 0


def execute(statements: str) -> None:
    with transaction():
        for one in statements.split(";"):
            db.session.execute(text(one))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM promotional_credit",
        "TRUNCATE promotional_credit CASCADE",
        "DELETE FROM promotional_spend",
        "UPDATE promotional_credit SET amount = 600",
        "UPDATE promotional_credit SET expires_at = expires_at + interval '1 day'",
        "UPDATE promotional_credit SET person_id = 1, wallet_id = 1",
        "UPDATE promotional_credit SET remaining = remaining + 1",
        "UPDATE promotional_credit SET remaining = -1",
        "UPDATE promotional_credit SET remaining = 0",
        "UPDATE promotional_credit SET state = 'spent'",
        "UPDATE promotional_credit SET expired = 1",
        "UPDATE promotional_credit SET remaining = 0, expired = 501, state = 'expired'",
        "UPDATE promotional_spend SET amount = 1",
        "UPDATE promotional_spend SET purpose = 'reading:9'",
        "UPDATE promotional_spend SET returned = 201",
        "UPDATE promotional_spend SET returned = 1; UPDATE promotional_spend SET returned = 0",
        "INSERT INTO promotional_credit (person_id, account_id, wallet_id, amount, remaining, created_at, expires_at, "
        "transaction_id, state, key, reason) SELECT person_id, account_id, wallet_id, 500, 400, created_at, expires_at, "
        "(SELECT max(id) FROM ledger_transaction), 'open', 'other', '' FROM promotional_credit",
        "INSERT INTO promotional_credit (person_id, account_id, wallet_id, amount, remaining, created_at, expires_at, "
        "transaction_id, state, key, reason) SELECT person_id, account_id, wallet_id, 500, 500, created_at, expires_at, "
        "transaction_id, 'open', 'other', '' FROM promotional_credit",
    ],
)
def test_the_database_refuses(app: Flask, statement: str) -> None:
    client = factories.person()
    give(client.id, "5.00")
    with transaction():
        promotion_spending.cover(client.id, Decimal("2.00"), "k", "tip:1", START)
    with pytest.raises(IntegrityError):
        execute(statement)


def test_an_expired_grant_stays_expired(app: Flask) -> None:
    give(factories.person().id, "5.00", DAY)
    run(1)
    with pytest.raises(IntegrityError), transaction():
        db.session.execute(text("UPDATE promotional_credit SET state = 'open', remaining = 500, expired = 0"))
