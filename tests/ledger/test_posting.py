"""Posting: legal, idempotent, never below the floor; and what the database refuses by itself."""

from decimal import Decimal

import psycopg
import pytest
from flask import Flask

from soulseer.db import transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import InsufficientFunds, TransferNotAllowed
from soulseer.domain.transfers import TransferKind
from soulseer.services import ledger
from tests import factories
from tests.factories import START


def top_up(person_id: int, amount: str, key: str) -> tuple[int, bool]:
    with transaction():
        return ledger.post(
            TransferKind.TOP_UP,
            key,
            [
                ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), -Decimal(amount)),
                ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, person_id), Decimal(amount)),
            ],
            START,
        )


def test_the_same_key_twice_is_one_movement(app: Flask) -> None:
    person = factories.person()
    first, new = top_up(person.id, "20.00", "k1")
    again, repeated = top_up(person.id, "20.00", "k1")
    assert (first, new, repeated) == (again, True, False)
    assert ledger.balance(AccountKind.CLIENT_WALLET, person.id) == Decimal("20.00")
    assert ledger.platform_balance(AccountKind.STRIPE_CLEARING) == Decimal("-20.00")


def test_the_same_key_for_another_amount_is_refused(app: Flask) -> None:
    person = factories.person()
    top_up(person.id, "20.00", "k1")
    with pytest.raises(TransferNotAllowed):
        top_up(person.id, "21.00", "k1")


def test_a_movement_that_is_not_declared_is_refused(app: Flask) -> None:
    person = factories.person(wallet="5.00")
    with pytest.raises(TransferNotAllowed), transaction():
        ledger.post(
            TransferKind.TOP_UP,
            "k",
            [
                ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, person.id), Decimal("-1.00")),
                ledger.Posting(ledger.account_id(AccountKind.PLATFORM_REVENUE), Decimal("1.00")),
            ],
            START,
        )


def test_below_the_floor_says_what_is_missing_and_writes_nothing(app: Flask) -> None:
    person = factories.person(wallet="5.00")
    with pytest.raises(InsufficientFunds) as refused, transaction():
        ledger.post(
            TransferKind.SHOP_ORDER,
            "k",
            [
                ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, person.id), Decimal("-7.50")),
                ledger.Posting(ledger.account_id(AccountKind.PLATFORM_REVENUE), Decimal("7.50")),
            ],
            START,
        )
    assert refused.value.missing == Decimal("2.50")
    assert ledger.balance(AccountKind.CLIENT_WALLET, person.id) == Decimal("5.00")


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE ledger_entry SET amount = amount + 1", "ledger_entry_append_only"),
        ("DELETE FROM ledger_entry", "ledger_entry_append_only"),
        ("TRUNCATE ledger_entry", "ledger_entry_append_only"),
        ("UPDATE ledger_transaction SET memo = 'x'", "ledger_transaction_append_only"),
        ("DELETE FROM ledger_transaction", "ledger_transaction_append_only"),
        ("TRUNCATE ledger_transaction CASCADE", "ledger_transaction_append_only"),
        ("UPDATE reading_minute SET amount = 1", "reading_minute_append_only"),
        ("DELETE FROM reading_minute", "reading_minute_append_only"),
        ("TRUNCATE reading_minute", "reading_minute_append_only"),
        ("UPDATE ledger_account SET balance = -1 WHERE kind = 'client_wallet'", "ck_ledger_account_floor"),
        ("UPDATE ledger_account SET floor = -100 WHERE kind = 'client_wallet'", "ledger_account_frozen"),
        ("DELETE FROM ledger_account", "ledger_account_kept"),
        (
            "INSERT INTO ledger_entry (transaction_id, account_id, amount, currency) "
            "SELECT t.id, a.id, 100, 'USD' FROM ledger_transaction t, ledger_account a WHERE a.kind = 'client_wallet'",
            "ledger_entry_zero_sum",
        ),
        (
            "INSERT INTO ledger_entry (transaction_id, account_id, amount, currency) "
            "SELECT t.id, a.id, CASE a.kind WHEN 'client_wallet' THEN 100 ELSE -100 END, 'USD' "
            "FROM ledger_transaction t, ledger_account a WHERE a.kind IN ('client_wallet', 'stripe_clearing')",
            "ledger_entry_sealed",
        ),
        (
            "INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) VALUES ('top_up', 'k1', '', now())",
            "uq_ledger_transaction_idempotency_key",
        ),
        (
            "INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) "
            "VALUES ('tip', 'reading:1:minute:1', '', now())",
            "ck_ledger_transaction_not_a_minute",
        ),
        (
            "INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) VALUES ('top_up', 'k9', '', now())",
            "ledger_transaction_entries",
        ),
        (
            "INSERT INTO ledger_account (owner_id, kind, currency, balance, floor, hot, created_at) "
            "SELECT id, 'client_receivable', 'USD', 100, NULL, false, now() FROM person",
            "ledger_account_opens_empty",
        ),
        (
            "INSERT INTO reading_minute (reading_session_id, minute, charged_at, amount, reader_part, platform_part) "
            "VALUES (1, 1, now(), 199, 139, 61)",
            "ck_reading_minute_balanced",
        ),
    ],
)
def test_the_database_refuses(
    app: Flask, environment: dict[str, str], statement: str, constraint: str
) -> None:
    person = factories.person()
    top_up(person.id, "20.00", "k1")

    def try_it() -> None:
        with psycopg.connect(environment["DATABASE_URL"]) as connection:
            connection.execute(statement)

    with pytest.raises(psycopg.errors.IntegrityError) as refused:
        try_it()
    assert refused.value.diag.constraint_name == constraint


def test_reporting_reads_and_never_writes(app: Flask, environment: dict[str, str]) -> None:
    person = factories.person(wallet="12.34")
    with psycopg.connect(environment["REPORTING_DATABASE_URL"]) as connection:
        row = connection.execute(
            "SELECT balance FROM reporting.ledger_accounts WHERE owner_email = %s AND kind = 'client_wallet'",
            [person.email],
        ).fetchone()
        assert row == (Decimal("12.34"),)
        sums = connection.execute(
            "SELECT DISTINCT sum(amount) FROM reporting.ledger_entries GROUP BY transaction_id"
        ).fetchall()
        assert sums == [(Decimal("0.00"),)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM ledger_account")
