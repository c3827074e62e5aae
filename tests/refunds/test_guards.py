"""What the database itself refuses about refunds, by plain SQL as the app's role."""

import psycopg
import pytest

from tests.factories import person
from tests.refunds.planted import booked_refunds, waiting_refund
from tests.refunds.steps import reading

WALLET, CARD, WAITING = (
    "destination = 'wallet' AND state = 'settled'",
    "destination = 'card'",
    "state = 'requested'",
)


@pytest.fixture
def plain(app, environment: dict[str, str]) -> psycopg.Connection:
    """The app's own role, on books with a refund to the wallet, one to the card and one that waits."""
    booked_refunds(reading(minutes=2).id)
    waiting_refund(reading(minutes=2).id, "Planted for a test")
    person("finance")
    with psycopg.connect(
        environment["DATABASE_URL"].replace("postgresql+psycopg", "postgresql"), autocommit=True
    ) as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reversal SET refunded = total + 1",
        "UPDATE reversal SET refunded = refunded - 1",
        "UPDATE reversal SET reader_refunded = reader_refunded + 1000000",
        "UPDATE reversal SET reader_refunded = 0",
        "UPDATE reversal SET refunded = 101, reader_refunded = 1",
        "UPDATE reversal SET total = total + 100",
        "DELETE FROM reversal",
        "TRUNCATE reversal CASCADE",
        "DELETE FROM refund",
        "TRUNCATE refund CASCADE",
        "UPDATE withdrawal SET amount = 1",
        "DELETE FROM withdrawal",
        f"UPDATE refund SET amount = amount + 1 WHERE {CARD}",
        f"UPDATE refund SET plan = '[]' WHERE {CARD}",
        f"UPDATE refund SET plan_hash = '' WHERE {WAITING}",
        f"UPDATE refund SET needs_approval = false WHERE {WAITING}",
        f"UPDATE refund SET requested_by = NULL WHERE {WAITING}",
        f"UPDATE refund SET state = 'requested' WHERE {WALLET}",
        f"UPDATE refund SET state = 'approved' WHERE {WAITING}",
        f"UPDATE refund SET state = 'settled', settled_at = now() WHERE {WAITING}",
        f"UPDATE refund SET state = 'failed' WHERE {WALLET}",
        f"UPDATE refund SET state = 'failed', failed_at = now() WHERE {CARD}",
        f"UPDATE refund SET state = 'declined', decided_by = requested_by WHERE {WAITING}",
        f"UPDATE refund SET transaction_id = NULL WHERE {CARD}",
        f"UPDATE refund SET transaction_id = transaction_id - 1 WHERE {CARD}",
        f"UPDATE refund SET settled_at = now() WHERE {WALLET}",
        # The second of two requests at once for one thing.
        "INSERT INTO refund (person_id, destination, origin, state, amount, currency, reading_session_id, reason, plan, plan_hash, "
        "needs_approval, requested_by, request_key, requested_at) SELECT person_id, destination, origin, state, amount, currency, "
        "reading_session_id, reason, plan, plan_hash, needs_approval, requested_by, 'other', requested_at "
        f"FROM refund WHERE {WAITING}",
        # Nothing, or two things, given back.
        "INSERT INTO refund (person_id, destination, origin, state, amount, currency, reason, plan, plan_hash, needs_approval, "
        "requested_by, requested_at) SELECT person_id, 'wallet', 'staff', 'requested', 1, 'USD', '', '[]', '', false, requested_by, "
        f"requested_at FROM refund WHERE {WAITING}",
        "UPDATE top_up SET refunded_amount = amount + 1 WHERE refunded_amount > 0",
        "UPDATE top_up SET refunded_amount = -1 WHERE refunded_amount > 0",
    ],
)
def test_refused(plain: psycopg.Connection, statement: str) -> None:
    with pytest.raises((psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege)):
        plain.execute("BEGIN READ WRITE;" + statement)
    plain.execute("ROLLBACK")


def test_a_second_person_may_approve_by_the_database_too(plain: psycopg.Connection) -> None:
    """The refusals above are not of everything: with a movement and another person's name it goes through."""
    changed = plain.execute(
        "UPDATE refund SET state = 'approved', decided_by = (SELECT max(id) FROM person), "
        "transaction_id = (SELECT min(id) FROM ledger_transaction WHERE kind = 'adjustment') WHERE state = 'requested'"
    )
    assert changed.rowcount == 1
