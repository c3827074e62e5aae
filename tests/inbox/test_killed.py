"""A worker process killed with SIGKILL around a credit: before the commit nothing is left, after it nothing is doubled."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.models.operations import JobRun
from soulseer.services import ledger_check, webhooks
from tests import factories
from tests.inbox.processes import wait_until, worker
from tests.money_in.conftest import Sandbox
from tests.money_in.events import as_event, begun, deliver, postings, row_of, wallet_of, work

# Halts whoever runs the statement: with the credit and the event's status written but not committed; or with both
# committed, at the job's own acknowledgement (its row, and after it the queue).
BEFORE_COMMIT = "AFTER UPDATE ON webhook_event FOR EACH ROW WHEN (NEW.status = 'processed')"
BEFORE_ACKNOWLEDGEMENT = "BEFORE UPDATE ON job_run FOR EACH STATEMENT"
TRAP = """
CREATE FUNCTION fault_halt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
CREATE TRIGGER fault_halt {where} EXECUTE FUNCTION fault_halt();
"""
HALTED = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
Set = Callable[[str], None]


@pytest.fixture
def trap(app: Flask, superuser: psycopg.Connection) -> Iterator[Set]:
    yield lambda where: superuser.execute(TRAP.format(where=where))  # type: ignore[arg-type, return-value]
    db.session.rollback()
    release(superuser)


def release(superuser: psycopg.Connection) -> None:
    """Wake who sleeps, who then finds nobody to answer and rolls back; and take the trap away."""
    for (pid,) in superuser.execute(HALTED).fetchall():
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    superuser.execute("DROP FUNCTION IF EXISTS fault_halt CASCADE")


def kill_inside(sandbox: Sandbox, superuser: psycopg.Connection) -> None:
    """Have a real worker take the woken job, and kill it where it halts."""
    with worker(STRIPE_API_BASE=sandbox.stripe, STRIPE_WEBHOOK_SIGNING_SECRET="whsec_after") as process:
        wait_until(lambda: superuser.execute(HALTED).fetchone() is not None, 60)
        process.kill()
    release(superuser)


def paid_and_announced(sandbox: Sandbox) -> int:
    """A paid top-up whose event was delivered and has woken a worker; its person."""
    person = factories.person()
    made = begun(person.id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "").raise_for_status()
    gateways.current().queue.redis.flushall()
    deliver(sandbox, as_event(sandbox.checkouts()[0], "evt_1"))
    assert gateways.current().queue.queue("payments").count == 1
    return person.id


def test_killed_with_the_credit_written_but_not_committed(
    sandbox: Sandbox, superuser: psycopg.Connection, trap: Set
) -> None:
    person_id = paid_and_announced(sandbox)
    trap(BEFORE_COMMIT)
    kill_inside(sandbox, superuser)
    assert (wallet_of(person_id), postings(), row_of("evt_1").status) == (0, [], "received")
    # It is not taken at once, since it might be in another worker's hand; then it is.
    assert row_of("evt_1").attempts == 1
    assert work(later=webhooks.LEASE)["processed"] == 1
    assert (wallet_of(person_id), len(postings())) == (Decimal("25.00"), 1)
    assert ledger_check.check() == []


def test_killed_between_the_credit_and_the_acknowledgement(
    sandbox: Sandbox, superuser: psycopg.Connection, trap: Set
) -> None:
    person_id = paid_and_announced(sandbox)
    trap(BEFORE_ACKNOWLEDGEMENT)
    kill_inside(sandbox, superuser)
    assert (wallet_of(person_id), row_of("evt_1").status) == (Decimal("25.00"), "processed")
    with transaction():
        assert list(db.session.scalars(select(JobRun.outcome))) == ["running"]
    # The queue gives the job out again, the event comes again, the sweep comes by, somebody names the row: one credit.
    deliver(sandbox, as_event(sandbox.checkouts()[0], "evt_1"))
    assert work(event=str(row_of("evt_1").id)) == {"nothing_due": 1}
    assert work(woken="1") == {}
    assert work(later=webhooks.LEASE) == {}
    deliver(sandbox, as_event(sandbox.checkouts()[0], "evt_2", "checkout.session.async_payment_succeeded"))
    assert work() == {"processed": 1}
    assert (wallet_of(person_id), len(postings())) == (Decimal("25.00"), 1)
    assert ledger_check.check() == []


def test_after_a_killed_worker_the_next_event_still_wakes_one(
    sandbox: Sandbox, superuser: psycopg.Connection, trap: Set
) -> None:
    paid_and_announced(sandbox)
    trap(BEFORE_ACKNOWLEDGEMENT)
    kill_inside(sandbox, superuser)
    waiting = gateways.current().queue.queue("payments").count
    deliver(sandbox, as_event({"id": "ch_1"}, "evt_2", "charge.updated"))
    assert gateways.current().queue.queue("payments").count == waiting + 1
