"""Each kind of corruption, planted with the guards off, is found by the check that is about it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from flask import Flask

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.payments import TopUp
from soulseer.services import ledger, ledger_check, promotion_grants, promotions
from tests.conftest import empty_tables
from tests.disputes.planted import lost_dispute
from tests.factories import START
from tests.readings.room import Room
from tests.refunds.planted import booked_refunds
from tests.subscriptions.planted import running_subscription

NAMES = [*(name for name, _ in ledger_check.CHECKS), "movements_are_declared"]
KEPT = (
    *("ledger_account", "ledger_shard", "ledger_transaction", "ledger_entry"),
    *("reading_session", "reading_minute", "reading_receipt", "top_up"),
    *("earning", "payout", "payout_account", "payout_reversal"),
    *("dispute", "spending_hold"),
    *("promotional_credit", "promotional_spend"),
    *("refund", "reversal", "withdrawal"),
    *("subscription", "subscription_invoice"),
    *("closed_day", "reconciliation_difference", "review"),
)


@dataclass(frozen=True)
class Books:
    """Readings by number: ``done`` is finalized with a fair credit, ``paused`` and ``active`` are what they say."""

    done: int
    paused: int
    active: int


@pytest.fixture(scope="module")
def books(migrated_app: Flask, superuser: psycopg.Connection) -> Iterator[Books]:
    """Clean books with something of everything, and a copy of them."""
    empty_tables(superuser)
    with migrated_app.app_context():
        done, paused, active = (Room(rate="3.00").start(0) for _ in range(3))
        done.beats(10, 60)
        done.do("end", "reader", 80)
        done.finalize(81)
        paused.do("leave", "client", 20)
        active.beats(10, 130)
        _top_up(active.client.id)
        lost_dispute()
        running_subscription()
        _credited()
        booked_refunds(done.id)
        assert ledger_check.check() == []
    superuser.execute("DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept")
    for table in KEPT:
        superuser.execute(f"CREATE TABLE kept.{table} AS TABLE public.{table}")
    yield Books(done.id, paused.id, active.id)
    superuser.execute("DROP SCHEMA kept CASCADE")


def _credited() -> None:
    """A reading paid by two grants, with some of the credit given back, which then expires."""
    room = Room(wallet="3.00", rate="3.00")
    for amount, days in (("1.00", 10), ("5.00", 20)):
        with transaction():
            expires_at = START + timedelta(days=days)
            promotion_grants.grant(room.client.id, Decimal(amount), expires_at, "", START, key=amount)
    room.start(0)
    room.beats(10, 60)
    room.do("end", "reader", 80)
    room.finalize(81)
    with transaction():
        assert promotions.expire(3, START + timedelta(days=20)) == Decimal("2.00")


def _top_up(person_id: int) -> None:
    wallet = ledger.account_id(AccountKind.CLIENT_WALLET, person_id)
    with transaction():
        row = TopUp(
            person_id=person_id, account_id=wallet, amount=Decimal("25.00"), state="paid", created_at=START
        )
        row.paid_at, row.stripe_checkout_session_id = START, "cs_1"
        db.session.add(row)
        postings = [
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), Decimal("-25.00")),
            ledger.Posting(wallet, Decimal("25.00")),
        ]
        ledger.post(TransferKind.TOP_UP, "top-up:cs_1", postings, START)


WALLET = "SELECT client_account_id FROM reading_session WHERE id = %(active)s"
EARNINGS = "SELECT reader_account_id FROM reading_session WHERE id = %(active)s"
REVENUE = "SELECT id FROM ledger_account WHERE kind = 'platform_revenue'"
CREDIT = "SELECT min(id) FROM ledger_transaction WHERE kind = 'fair_credit'"
FORGED = (
    "WITH t AS (INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) "
    "VALUES ({kind}, 'forged', '', now()) RETURNING id), "
    "e AS (INSERT INTO ledger_entry (transaction_id, account_id, amount, currency) "
    "SELECT t.id, side.account, side.amount, 'USD' FROM t, (VALUES (({rises}), 500), (({falls}), -500)) side(account, amount)), "
    "up AS (UPDATE ledger_account SET balance = balance + 500 WHERE id = ({rises})) "
    "UPDATE ledger_shard SET balance = balance - 500 WHERE shard = 3 AND account_id = ({falls})"
)
PAYOUT = (
    "INSERT INTO payout (person_id, origin, amount, currency, state, stripe_account_id, after_transaction_id, attempts, "
    "created_at, failed_at, failure) SELECT reader_id, 'request', 500, 'USD', {state}, 'acct_1', 0, 0, now(), "
    "CASE {state} WHEN 'failed' THEN now() END, CASE {state} WHEN 'failed' THEN 'No.' END "
    "FROM reading_session WHERE id = %(done)s"
)

# (check that must find it, what is planted)
PLANTS = [
    ("transactions_sum_to_zero", "UPDATE ledger_entry SET amount = amount + 1 WHERE id = (SELECT min(id) FROM ledger_entry)"),
    ("transactions_sum_to_zero", "DELETE FROM ledger_entry WHERE id = (SELECT max(id) FROM ledger_entry)"),
    ("transactions_sum_to_zero", f"DELETE FROM ledger_entry WHERE transaction_id = ({CREDIT})"),
    (
        "transactions_sum_to_zero",
        f"INSERT INTO ledger_entry (transaction_id, account_id, amount, currency) SELECT ({CREDIT}), ({WALLET}), 100, 'USD'",
    ),
    ("transactions_sum_to_zero", "INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) VALUES ('tip', 'empty', '', now())"),
    (
        "minutes_are_balanced",
        "ALTER TABLE reading_minute DROP CONSTRAINT ck_reading_minute_balanced; "
        "UPDATE reading_minute SET platform_part = platform_part + 1 WHERE minute = 2",
    ),
    ("entries_have_their_transaction_and_account", f"DELETE FROM ledger_transaction WHERE id = ({CREDIT})"),
    ("entries_have_their_transaction_and_account", "DELETE FROM ledger_account WHERE id = (%(wallet)s)"),
    (
        "entries_have_their_transaction_and_account",
        f"UPDATE ledger_entry SET currency = 'EUR' WHERE transaction_id = ({CREDIT})",
    ),
    ("minutes_have_their_session", "DELETE FROM reading_session WHERE id = %(active)s"),
    (
        "minutes_have_their_session",
        "INSERT INTO reading_minute (reading_session_id, minute, charged_at, amount, reader_part, platform_part) "
        "VALUES (999999, 1, now(), 300, 210, 90)",
    ),
    ("balances_equal_entries", f"UPDATE ledger_account SET balance = balance + 1 WHERE id = ({WALLET})"),
    ("balances_equal_entries", f"UPDATE ledger_account SET balance = balance - 1 WHERE id = ({EARNINGS})"),
    ("balances_equal_entries", f"UPDATE ledger_account SET balance = 1 WHERE id = ({REVENUE})"),
    ("balances_equal_entries", f"UPDATE ledger_shard SET balance = balance + 1 WHERE shard = 5 AND account_id = ({REVENUE})"),
    ("balances_equal_entries", f"DELETE FROM ledger_shard WHERE account_id = ({REVENUE}) AND balance <> 0"),
    ("balances_equal_entries", "DELETE FROM reading_minute WHERE reading_session_id = %(active)s AND minute = 3"),
    ("balances_equal_entries", "UPDATE reading_minute SET reader_part = 211, platform_part = 89 WHERE minute = 2"),
    (
        "floors_hold",
        "ALTER TABLE ledger_account DROP CONSTRAINT ck_ledger_account_floor; "
        f"UPDATE ledger_account SET balance = -1 WHERE id = ({WALLET})",
    ),
    ("accounts_follow_the_chart", f"UPDATE ledger_account SET floor = -10000 WHERE id = ({WALLET})"),
    ("accounts_follow_the_chart", f"UPDATE ledger_account SET floor = NULL WHERE id = ({EARNINGS})"),
    ("accounts_follow_the_chart", f"UPDATE ledger_account SET hot = true WHERE id = ({EARNINGS})"),
    ("accounts_follow_the_chart", f"UPDATE ledger_account SET owner_id = NULL WHERE id = ({EARNINGS})"),
    (
        "keys_are_unique",
        "ALTER TABLE ledger_transaction DROP CONSTRAINT uq_ledger_transaction_idempotency_key; "
        "INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) VALUES ('top_up', 'top-up:cs_1', '', now())",
    ),
    (
        "keys_are_unique",
        "ALTER TABLE reading_minute DROP CONSTRAINT pk_reading_minute; "
        "INSERT INTO reading_minute SELECT * FROM reading_minute WHERE reading_session_id = %(active)s AND minute = 1",
    ),
    ("minutes_follow_their_session", "UPDATE reading_session SET minutes_billed = 4 WHERE id = %(active)s"),
    (
        "minutes_follow_their_session",
        "UPDATE reading_minute SET minute = 9 WHERE reading_session_id = %(active)s AND minute = 2",
    ),
    (
        "minutes_have_their_sessions_price",
        "UPDATE reading_minute SET amount = 299, reader_part = 209 WHERE reading_session_id = %(active)s AND minute = 1",
    ),
    ("minutes_have_their_sessions_price", "UPDATE reading_session SET rate = 200, reader_rate = 140 WHERE id = %(active)s"),
    (
        "sessions_use_their_peoples_accounts",
        "UPDATE reading_session SET client_account_id = (SELECT client_account_id FROM reading_session WHERE id = %(done)s) "
        "WHERE id = %(active)s",
    ),
    (
        "sessions_use_their_peoples_accounts",
        "UPDATE reading_session SET reader_account_id = (SELECT id FROM ledger_account a WHERE a.owner_id = reader_id "
        "AND a.kind = 'reader_earnings_available') WHERE id = %(active)s",
    ),
    ("sessions_use_their_peoples_accounts", "UPDATE reading_session SET client_account_id = 999999 WHERE id = %(active)s"),
    ("credits_follow_their_session", "UPDATE reading_session SET credit = credit + 1 WHERE id = %(done)s"),
    ("credits_follow_their_session", "UPDATE ledger_transaction SET reading_session_id = %(paused)s WHERE kind = 'fair_credit'"),
    ("credits_follow_their_session", "UPDATE ledger_transaction SET reading_session_id = NULL WHERE kind = 'fair_credit'"),
    ("tips_are_cash_of_a_reading_and_earned", "UPDATE ledger_transaction SET kind = 'tip' WHERE kind = 'fair_credit'"),
    ("ratings_follow_their_reviews", "INSERT INTO review SELECT 1, id, client_id, reader_id, 5, '', now() FROM reading_session LIMIT 1"),
    ("finalized_sessions_agree", "DELETE FROM reading_receipt"),
    ("finalized_sessions_agree", "UPDATE reading_session SET active_microseconds = 200000000 WHERE id = %(done)s"),
    ("finalized_sessions_agree", "UPDATE reading_receipt SET charged = 700, total = 500, reader_part = 350, platform_part = 150"),
    ("finalized_sessions_agree", "UPDATE reading_receipt SET reader_part = reader_part + 1, platform_part = platform_part - 1"),
    ("finalized_sessions_agree", "UPDATE reading_receipt SET minutes = minutes + 1"),
    ("paid_time_is_used_or_kept", "UPDATE reading_session SET kept_microseconds = 41000000 WHERE id = %(paused)s"),
    ("paid_time_is_used_or_kept", "UPDATE reading_session SET paid_until = paid_until + interval '1 minute' WHERE id = %(active)s"),
    ("paid_time_is_used_or_kept", "UPDATE reading_session SET active_since = active_since + interval '1 second' WHERE id = %(active)s"),
    ("top_ups_are_credited_once", "UPDATE top_up SET amount = amount + 100"),
    ("top_ups_are_credited_once", "UPDATE top_up SET state = 'expired', paid_at = NULL"),
    ("top_ups_are_credited_once", "UPDATE top_up SET stripe_checkout_session_id = 'cs_other' WHERE stripe_checkout_session_id = 'cs_1'"),
    (
        "top_ups_are_credited_once",
        FORGED.format(kind="'top_up'", rises=WALLET, falls="SELECT id FROM ledger_account WHERE kind = 'stripe_clearing'"),
    ),
    ("pending_earnings_have_their_source", "UPDATE earning SET taken_back = 1"),
    ("pending_earnings_have_their_source", "DELETE FROM earning"),
    ("earnings_follow_their_receipt", "UPDATE earning SET amount = amount + 1"),
    ("earnings_follow_their_receipt", "DELETE FROM earning"),
    ("releases_follow_their_earning", "UPDATE earning SET state = 'released', released_at = now()"),
    ("payouts_follow_their_entries", PAYOUT.format(state="'failed'")),
    (
        "chargebacks_follow_their_dispute",
        "UPDATE dispute SET wallet_part = wallet_part - 1, receivable_part = receivable_part + 1",
    ),
    ("chargebacks_follow_their_dispute", "DELETE FROM dispute"),
    ("won_disputes_are_returned", "UPDATE dispute SET state = 'won'"),
    ("paid_invoices_are_booked_once", "UPDATE subscription_invoice SET amount_paid = 2800"),
    ("paid_invoices_are_booked_once", "DELETE FROM subscription_invoice"),
    ("subscriptions_have_a_plan_for_their_audience", "UPDATE subscription SET audience = 'client'"),
    ("disputed_amounts_agree", "UPDATE top_up SET disputed_amount = 2400 WHERE disputed_amount = 2500"),
    ("receivables_are_explained", "UPDATE dispute SET written_off = 1"),
    ("holds_follow_disputes_and_debts", "UPDATE spending_hold SET lifted_at = since"),
    ("holds_follow_disputes_and_debts", "UPDATE spending_hold SET kind = 'dispute'"),
    ("payouts_follow_their_entries", PAYOUT.format(state="'open'")),
    ("money_in_transit_has_its_payout", PAYOUT.format(state="'open'")),
    (
        "promotional_balances_equal_their_grants",
        "UPDATE ledger_account SET balance = balance + 1 WHERE kind = 'client_promotional_credit'",
    ),
    (
        "promotional_balances_equal_their_grants",
        "UPDATE promotional_credit SET remaining = 1, state = 'open' WHERE id = 1",
    ),
    ("grants_are_open_spent_or_expired", "UPDATE promotional_credit SET expired = 1, state = 'expired' WHERE id = 3"),
    ("grants_are_open_spent_or_expired", "DELETE FROM promotional_spend WHERE id = 1"),
    ("promotional_movements_have_their_rows", "UPDATE promotional_spend SET amount = amount + 1 WHERE id = 1"),
    (
        "promotional_movements_have_their_rows",
        "UPDATE ledger_transaction SET kind = 'promotion_spent' WHERE kind = 'promotion_expired'; "
        "UPDATE ledger_transaction SET idempotency_key = 'expired' WHERE idempotency_key LIKE 'promotion:%%:expired'",
    ),
    (
        "promotional_credit_paid_a_minute",
        "UPDATE ledger_transaction SET idempotency_key = 'reading:' || reading_session_id || ':promotion:9' "
        "WHERE kind = 'promotion_spent' AND idempotency_key LIKE '%%:1'",
    ),
    ("what_was_given_back_had_been_spent", "UPDATE promotional_spend SET returned = 0"),
    (
        "free_minutes_are_for_their_reading_alone",
        "UPDATE promotional_credit SET only_session_id = 999 "
        "WHERE id = (SELECT min(promotional_credit_id) FROM promotional_spend)",
    ),
    ("movements_are_declared", FORGED.format(kind="'top_up'", rises=WALLET, falls=REVENUE)),
    ("movements_are_declared", "UPDATE ledger_transaction SET kind = 'payout' WHERE kind = 'fair_credit'"),
    (
        "closed_days_keep_their_sums",
        "INSERT INTO closed_day (day, closed_at, closed_by, reason, sums, explained) "
        """SELECT (max(created_at) AT TIME ZONE 'UTC')::date, now(), 1, '', '{"tip": {"count": 1, "amount": "5.00"}}', 0 """
        "FROM ledger_transaction",
    ),
    (
        "differences_are_mended_by_their_entry",
        "INSERT INTO reconciliation_difference (reference, class, state, words, ledger_amount, stripe_amount, gap, day, "
        "first_seen_at, last_seen_at, settled_at, transaction_id) "
        f"SELECT 'pi_1', 'amount', 'mended', '', 0, 1, 1, '2026-11-20', now(), now(), now(), ({CREDIT})",
    ),
    ("guards_stand", "ALTER TABLE reading_minute DISABLE TRIGGER reading_minute_day_open"),
    ("refunds_are_booked_once", "UPDATE ledger_transaction SET idempotency_key = 'x' WHERE kind = 'refund_to_wallet'"),
    ("refunds_are_booked_once", FORGED.format(kind="'refund_to_wallet'", rises=WALLET, falls=REVENUE)),
    ("refunds_book_what_was_previewed", "UPDATE refund SET plan = '[]' WHERE destination = 'card'"),
    ("refunded_amounts_agree", "UPDATE top_up SET refunded_amount = 0 WHERE refunded_amount > 0"),
    ("reversals_follow_their_refunds", "UPDATE reversal SET refunded = refunded + 1"),
    ("reversals_have_their_sources_parts", "UPDATE reversal SET total = total + 1"),
    ("guards_stand", "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_append_only"),
    ("guards_stand", "ALTER TABLE ledger_entry DISABLE TRIGGER ALL"),
    ("guards_stand", "ALTER TABLE ledger_account ENABLE REPLICA TRIGGER ledger_account_frozen"),
    ("guards_stand", "ALTER TABLE ledger_transaction DROP CONSTRAINT uq_ledger_transaction_idempotency_key"),
]  # fmt: skip

# What a plant takes away and its test puts back.
REPAIRS = (
    "ALTER TABLE ledger_entry ENABLE TRIGGER ALL",
    "ALTER TABLE reading_minute ENABLE TRIGGER reading_minute_day_open",
    "ALTER TABLE ledger_account ENABLE TRIGGER ledger_account_frozen",
)


def plant(superuser: psycopg.Connection, books: Books, statements: str) -> list[str]:
    """Run the statements with the guards off; the definitions of the constraints that they took away."""
    values = vars(books) | {"wallet": _wallet(superuser, books)}
    before = _constraints(superuser)
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        for statement in statements.split("; "):
            superuser.execute(statement, values)
    after = _constraints(superuser)
    return [definition for name, definition in before.items() if name not in after]


def _wallet(superuser: psycopg.Connection, books: Books) -> int:
    row = superuser.execute(WALLET, vars(books)).fetchone()
    assert row is not None
    return int(row[0])


def _constraints(superuser: psycopg.Connection) -> dict[str, str]:
    rows = superuser.execute(
        "SELECT conname, format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) "
        "FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
    )
    return dict(rows.fetchall())


def mend(superuser: psycopg.Connection, definitions: list[str]) -> None:
    """Put guards and constraints back, over the books as they were."""
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        for table in KEPT:
            superuser.execute(f"DELETE FROM {table}")
            superuser.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept.{table}")
    for definition in (*definitions, *REPAIRS):
        superuser.execute(definition)


@pytest.mark.parametrize(("check", "statements"), PLANTS)
def test_what_is_planted_is_found(
    migrated_app: Flask, superuser: psycopg.Connection, books: Books, check: str, statements: str
) -> None:
    taken_away = plant(superuser, books, statements)
    try:
        with migrated_app.app_context():
            found = ledger_check.check()
        assert check in {mismatch.invariant for mismatch in found}
        assert all(mismatch.subject and mismatch.detail for mismatch in found)
    finally:
        mend(superuser, taken_away)
    with migrated_app.app_context():
        assert ledger_check.check() == []


def test_every_check_has_found_something() -> None:
    assert {check for check, _ in PLANTS} == set(NAMES)


def test_every_guard_of_the_tables_of_money_is_watched(superuser: psycopg.Connection, books: Books) -> None:
    rows = superuser.execute(
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY(%s)",
        [list(KEPT)],
    )
    assert {row[0] for row in rows} <= set(ledger_check.GUARDS)


def test_the_command_is_silent_about_clean_books(migrated_app: Flask, books: Books) -> None:
    result = migrated_app.test_cli_runner().invoke(args=["ledger", "check", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.output) == {"clean": True, "checks": NAMES, "mismatches": []}
    result = migrated_app.test_cli_runner().invoke(args=["ledger", "check"])
    assert (result.exit_code, result.output) == (0, f"{len(NAMES)} checks, clean\n")


def test_the_command_lists_what_is_wrong_and_exits_with_3(
    migrated_app: Flask, superuser: psycopg.Connection, books: Books
) -> None:
    wallet = _wallet(superuser, books)
    taken_away = plant(
        superuser, books, f"UPDATE ledger_account SET balance = balance + 1 WHERE id = ({WALLET})"
    )
    try:
        runner = migrated_app.test_cli_runner()
        result = runner.invoke(args=["ledger", "check", "--json"])
        assert result.exit_code == 3
        told = json.loads(result.output)
        assert told["clean"] is False
        assert told["mismatches"] == [
            {
                "invariant": "balances_equal_entries",
                "subject": f"account {wallet} (client_wallet)",
                "detail": "balance 6601 cents, entries 6600",
            }
        ]
        result = runner.invoke(args=["ledger", "check"])
        assert result.exit_code == 3
        assert f"account {wallet}" in result.output
    finally:
        mend(superuser, taken_away)
