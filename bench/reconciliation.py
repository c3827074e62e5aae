"""Reconciliation at two sizes: Stripe's lines are in, their fees are booked, both sides are compared, differences classed.

python -m bench.reconciliation [entries] [times]

Each size runs in a process and a database of its own. One reference in a thousand differs.
"""

import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from bench.harness import START, Bench, product, seconds
from soulseer.db import db, transaction
from soulseer.gateways.stripe_balance import Balance
from soulseer.jobs import reconcile
from soulseer.jobs.context import JobContext
from soulseer.services import reconciliation

NOW = START + timedelta(days=2)
CENTS, FEE, EVERY = 2500, 103, 1000

_LINES = f"""
INSERT INTO stripe_balance_transaction (stripe_id, type, amount, fee, net, currency, source, reference, source_facts, created,
    available_on, payload, imported_at)
SELECT 'txn_' || n, 'charge', {CENTS} - (n %% {EVERY} = 0)::integer, {FEE}, {CENTS - FEE} - (n %% {EVERY} = 0)::integer, 'USD',
    'ch_' || n, 'pi_' || n, '{{"metadata": {{}}}}', %(at)s, %(at)s, '{{"object": "balance_transaction"}}', %(at)s
FROM generate_series(1, %(count)s) n
"""
_TRANSACTIONS = """
INSERT INTO ledger_transaction (kind, idempotency_key, stripe_reference, memo, created_at)
SELECT 'subscription', 'bench:' || n, 'pi_' || n, '', %(at)s FROM generate_series(1, %(count)s) n
"""
_ENTRIES = f"""
INSERT INTO ledger_entry (transaction_id, account_id, amount, currency)
SELECT t.id, a.id, CASE a.kind WHEN 'stripe_clearing' THEN -{CENTS} ELSE {CENTS} END, 'USD'
FROM ledger_transaction t CROSS JOIN ledger_account a WHERE a.kind IN ('stripe_clearing', 'platform_revenue')
"""
_BALANCES = """
UPDATE ledger_shard s SET balance = moved.amount
FROM (SELECT account_id, sum(amount) AS amount FROM ledger_entry GROUP BY account_id) moved
WHERE s.account_id = moved.account_id AND s.shard = 0
"""


def load(bench: Bench, count: int) -> None:
    """Both sides in bulk, past the triggers, whose balances are then put right by hand."""
    values = {"count": count, "at": START}
    bench.database.execute("SET session_replication_role = replica")
    for statement in (_LINES, _TRANSACTIONS, _ENTRIES, _BALANCES):
        bench.database.execute(statement, values if "%(" in statement else None)
    bench.database.execute("SET session_replication_role = origin")
    bench.database.execute("INSERT INTO stripe_import (name) VALUES ('balance_transactions')")
    bench.database.execute("VACUUM ANALYZE")


class Peak:
    """The most memory of this process, and of the server process that works for it, while the block runs; MiB."""

    def __init__(self, backend: int) -> None:
        self._backend, self._stop = backend, threading.Event()
        self.process = self.backend = 0

    def __enter__(self) -> "Peak":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.process = max(self.process, _kibibytes(os.getpid(), "VmRSS"))
            # Without the shared buffers, which every backend seems to own.
            self.backend = max(self.backend, _kibibytes(self._backend, "RssAnon"))

    def mebibytes(self) -> dict[str, int]:
        return {"process": self.process // 1024, "server": self.backend // 1024}


def _kibibytes(process: int, name: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise SystemExit(f"process {process} tells no {name}")


def compare(count: int, *, whole: bool) -> int:
    """Compare and class as the job does; how many differ."""
    with transaction():
        compared = reconciliation.compare(NOW, whole=whole)
        place: int | None = 0
        while place is not None:
            place = reconciliation.classify(NOW, place)
        held = Balance(available=(CENTS - FEE) * count - count // EVERY, pending=0)
        run = reconciliation.summarize(compared, held, NOW, imported=0, booked=0, job_run_id=None)
        if run.unexplained or compared.differing != count // EVERY:
            raise SystemExit(
                f"{run.unexplained} unexplained, {compared.differing} differ: not what was loaded"
            )
        return compared.compared


def measure(bench: Bench, count: int) -> dict[str, object]:
    load(bench, count)
    with transaction():
        backend = db.session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    context = JobContext(now=NOW)
    with Peak(backend) as peak:
        booking = seconds(lambda: reconcile.book(context))
        bench.database.execute("ANALYZE ledger_transaction, ledger_entry")
        whole = seconds(lambda: compare(count, whole=True))
        new = seconds(lambda: compare(count, whole=False))
    return {
        "entries": count,
        "booking_seconds": round(booking, 2),
        "comparing_seconds": round(whole, 2),
        "comparing_what_is_new_seconds": round(new, 2),
        "seconds": round(booking + whole, 2),
        "peak_mebibytes": peak.mebibytes(),
    }


def in_a_process(count: int) -> dict[str, object]:
    """One size by itself."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.reconciliation", "one", str(count)], stdout=subprocess.PIPE, check=True
    )
    result: dict[str, object] = json.loads(done.stdout)
    return result


def main(count: int, times: int) -> None:
    small, large = in_a_process(count), in_a_process(count * times)
    growth = {
        name: round(float(str(large[name])) / float(str(small[name])), 1)
        for name in ("booking_seconds", "comparing_seconds", "seconds")
    }
    print(json.dumps({"small": small, "large": large, "growth": growth}, indent=1))


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        with product() as bench:
            print(json.dumps(measure(bench, int(sys.argv[2]))))
    else:
        given = [int(each) for each in sys.argv[1:]]
        main(*(given + [100_000, 10][len(given) :]))
