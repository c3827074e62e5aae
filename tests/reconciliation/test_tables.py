"""The tables agree with their models, and the database refuses what it must."""

from datetime import date

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

from soulseer.db import db, transaction
from soulseer.models.reconciliation import ReconciliationDifference
from tests.factories import START, person

TABLES = (
    "stripe_balance_transaction",
    "stripe_import",
    "reconciliation_run",
    "reconciliation_difference",
    "closed_day",
)


def test_models_and_migrations_agree(app: Flask) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = [
            change
            for change in compare_metadata(context, db.metadata)
            if any(table in str(change) for table in TABLES)
        ]
    assert found == []


@pytest.fixture
def role(environment):
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        yield connection


LINE = (
    "INSERT INTO stripe_balance_transaction (stripe_id, type, amount, fee, net, currency, reference, source_facts, created, "
    "available_on, payload, imported_at) VALUES ('txn_1', 'charge', 100, 0, 100, 'USD', 'pi_1', '{}', now(), now(), '{}', now())"
)
DIFFERENCE = (
    "INSERT INTO reconciliation_difference (reference, class, state, words, ledger_amount, stripe_amount, gap, day, first_seen_at, "
    "last_seen_at) VALUES ('pi_1', 'amount', 'open', '', 100, 200, {gap}, '2026-11-20', now(), now())"
)


def test_stripes_lines_stay_as_they_came(app: Flask, role: psycopg.Connection) -> None:
    role.execute(LINE)
    for change in (
        "UPDATE stripe_balance_transaction SET amount = 1",
        "DELETE FROM stripe_balance_transaction",
        "TRUNCATE stripe_balance_transaction",
    ):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            role.execute(change)
    with pytest.raises(psycopg.errors.UniqueViolation):
        role.execute(LINE)


def test_a_difference_is_the_difference_and_has_one_live_row(app: Flask, role: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        role.execute(DIFFERENCE.format(gap=99))
    role.execute(DIFFERENCE.format(gap=100))
    with pytest.raises(psycopg.errors.UniqueViolation):
        role.execute(DIFFERENCE.format(gap=100))
    for change in (
        "UPDATE reconciliation_difference SET reference = 'pi_2'",
        "UPDATE reconciliation_difference SET state = 'mended', settled_at = now()",
        "DELETE FROM reconciliation_difference",
    ):
        with pytest.raises(psycopg.errors.IntegrityError):
            role.execute(change)
    role.execute("UPDATE reconciliation_difference SET state = 'closed', settled_at = now()")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        role.execute("UPDATE reconciliation_difference SET state = 'open', settled_at = NULL")
    # What comes back after it was closed is a difference of its own.
    role.execute(DIFFERENCE.format(gap=100))
    with transaction():
        states = db.session.scalars(
            db.select(ReconciliationDifference.state).order_by(ReconciliationDifference.id)
        )
        assert list(states) == ["closed", "open"]


TRANSACTION = (
    "WITH t AS (INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) VALUES ('adjustment', %(key)s, '', %(at)s) "
    "RETURNING id) INSERT INTO ledger_entry (transaction_id, account_id, amount, currency) "
    "SELECT t.id, a.id, CASE a.kind WHEN 'platform_revenue' THEN 1 ELSE -1 END, 'USD' FROM t, ledger_account a "
    "WHERE a.kind IN ('platform_revenue', 'stripe_clearing')"
)
MINUTE = (
    "INSERT INTO reading_minute (reading_session_id, charged_at, minute, amount, reader_part, platform_part) "
    "VALUES (1, %(at)s, %(minute)s, 10, 7, 3)"
)


def test_a_closed_day_takes_nothing_in(app: Flask, role: psycopg.Connection) -> None:
    finance = person("finance")
    role.execute(
        "INSERT INTO closed_day (day, closed_at, closed_by, reason, sums, explained) "
        "VALUES ('2026-11-20', now(), %s, 'tested', '{}', 0)",
        [finance.id],
    )
    midnight = "2026-11-21T00:00:00Z"
    for at in (START, "2026-11-20T23:59:59.999999Z", "2025-01-01T00:00:00Z"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="is closed"):
            role.execute(TRANSACTION, {"key": f"k{at}", "at": at})
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="is closed"):
            role.execute(MINUTE, {"at": at, "minute": 1})
    role.execute(TRANSACTION, {"key": "fresh", "at": midnight})
    role.execute(MINUTE, {"at": midnight, "minute": 1})
    for change in ("DELETE FROM closed_day", "UPDATE closed_day SET day = day - 1", "TRUNCATE closed_day"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            role.execute(change)
    row = role.execute("SELECT max(day) FROM closed_day").fetchone()
    assert row == (date(2026, 11, 20),)
