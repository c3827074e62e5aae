"""What tells that something is wrong: the hourly check, the metrics, the command."""

import json
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.jobs import runner
from soulseer.jobs.context import JobContext
from soulseer.jobs.runner import RunFailed
from soulseer.services import ledger
from tests.factories import START, person
from tests.money_in.conftest import Sandbox
from tests.money_in.events import alerts
from tests.reconciliation.conftest import Stripe, reconciled


def check() -> dict:
    counts = runner.run(runner.Request("check_ledger"))
    assert counts is not None
    return counts


def test_a_clean_ledger_lets_the_check_succeed(app: Flask) -> None:
    person(wallet="5.00")
    assert check() == {"mismatches": [], "alerts": [], "error": 0}


def test_a_mismatch_fails_the_check_and_raises_one_alert(app: Flask, superuser: psycopg.Connection) -> None:
    made = person(wallet="5.00")
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute("UPDATE ledger_account SET balance = balance + 1 WHERE owner_id = %s", [made.id])
    for _ in range(2):
        with pytest.raises(RunFailed) as failure:
            check()
        (mismatch,) = failure.value.counts["mismatches"]
        assert mismatch.startswith("balances_equal_entries: account")
    assert len(alerts()) == 1
    assert alerts()[0].startswith("ledger_check:balances_equal_entries:account ")


def test_an_open_alert_fails_the_check_until_it_is_resolved(
    app: Flask, superuser: psycopg.Connection
) -> None:
    with transaction():
        ledger.raise_alert("planted", "Look here.", START)
    with pytest.raises(RunFailed) as failure:
        check()
    assert failure.value.counts["alerts"] == ["alert 1: planted: Look here."]
    superuser.execute("UPDATE ledger_alert SET resolved_at = now()")
    assert check()["error"] == 0


def metric(client: FlaskClient, name: str) -> float:
    lines = [
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith(f"{name} ") or line.startswith(f"{name}{{")
    ]
    assert len(lines) == 1, (name, lines)
    return float(lines[0].rpartition(" ")[2])


def test_the_metrics_tell_alerts_and_unexplained_cents(
    sandbox: Sandbox, stripe: Stripe, client: FlaskClient
) -> None:
    assert metric(client, "soulseer_ledger_alerts_open") == 0
    assert metric(client, "soulseer_reconciliation_last_seconds") == 0
    stripe.move("charges", amount=1000)
    with sandbox.stand_in.store.transaction() as connection:
        connection.execute("DELETE FROM object WHERE kind = 'charge'")
        connection.execute(
            "UPDATE object SET document = json_set(document, '$.type', 'contribution', '$.source', NULL) WHERE kind = 'balance_transaction'"
        )
    reconciled(later=timedelta(hours=2))
    assert metric(client, "soulseer_reconciliation_unexplained_cents") == 1000
    assert metric(client, "soulseer_ledger_alerts_open") == 1
    assert metric(client, 'soulseer_reconciliation_differences_open{class="unexplained"}') == 1
    assert metric(client, "soulseer_books_readable") == 1
    assert metric(client, "soulseer_reconciliation_last_seconds") > clock.now().timestamp()


def test_the_command_says_it_all_and_exits_by_it(sandbox: Sandbox, stripe: Stripe, app: Flask) -> None:
    command = app.test_cli_runner()
    stripe.move("fees", amount=150)
    clean = command.invoke(args=["ledger", "reconcile", "--json"])
    assert clean.exit_code == 0, clean.output
    said = json.loads(clean.stdout.splitlines()[-1])
    assert (said["imported"], said["unexplained"], said["ledger_balance"]) == (1, "0.00", "-1.50")
    line = stripe.move("fees", amount=10)
    with sandbox.stand_in.store.transaction() as connection:
        connection.execute("UPDATE object SET created = created - 864000 WHERE id = ?", (line["id"],))
    off = command.invoke(args=["ledger", "reconcile"])
    assert off.exit_code == 3
    assert "unexplained        0.10" in off.output
    found = command.invoke(args=["ledger", "reconcile", "--days", "30", "--json"])
    assert found.exit_code == 0
    assert Decimal(json.loads(found.stdout.splitlines()[-1])["gap"]) == 0


def test_a_dry_run_changes_nothing(sandbox: Sandbox, stripe: Stripe) -> None:
    from soulseer.jobs import reconcile

    stripe.move("fees", amount=150)
    assert reconcile.run(JobContext(now=clock.now(), dry_run=True)) == {
        "dry_run": True,
        "open_differences": {},
    }
    assert reconciled()["imported"] == 1
