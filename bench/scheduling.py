"""From a slot's instant to its job's start, and from a leader's death to the standby's lead.

python -m bench.scheduling [slots]
"""

import json
import os
import subprocess
import sys
import time

from bench.harness import Bench, median, percentile, product
from config.settings import REPOSITORY
from soulseer.db import db
from soulseer.services import job_status

EVERY_SECONDS = 2


def start(bench: Bench, *command: str) -> "subprocess.Popen[bytes]":
    """A ``flask`` process of the product, ticking every EVERY_SECONDS."""
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *command],
        cwd=REPOSITORY,
        env={**os.environ, **bench.environment, "BILLING_TICK_SECONDS": str(EVERY_SECONDS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def lateness(bench: Bench, slots: int) -> list[float]:
    """Milliseconds from each slot of the tick to the start of its run."""
    bench.database.execute("SET TIME ZONE 'UTC'")
    while True:
        rows = bench.database.execute(
            'SELECT extract(epoch FROM started_at - to_timestamp(slot, \'YYYYMMDD"T"HH24MISS"Z"\')) * 1000 '
            "FROM job_run WHERE job = 'billing_tick' AND slot IS NOT NULL ORDER BY id"
        ).fetchall()
        # The first run is the one that a new leader enqueues for the slot it finds half gone.
        if len(rows) > slots:
            return [float(row[0]) for row in rows[1 : slots + 1]]
        time.sleep(0.5)


def takeover(bench: Bench) -> float:
    """Seconds until a waiting standby leads after the leader is killed."""
    leader = start(bench, "jobs", "scheduler")
    first = wait_for_leader(bench, None)
    standby = start(bench, "jobs", "scheduler")
    time.sleep(6)
    try:
        killed = time.monotonic()
        leader.kill()
        wait_for_leader(bench, first)
        return time.monotonic() - killed
    finally:
        for process in (leader, standby):
            process.kill()
            process.wait()


def wait_for_leader(bench: Bench, other_than: str | None) -> str:
    """Who leads, once somebody other than ``other_than`` does."""
    while True:
        db.session.rollback()
        found = job_status.leader()
        if found and found != other_than:
            return found
        time.sleep(0.01)


def main(slots: int) -> None:
    with product() as bench:
        processes = [start(bench, "jobs", "worker"), start(bench, "jobs", "scheduler")]
        try:
            late = lateness(bench, slots)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        print(
            json.dumps(
                {
                    "slot_to_start_ms": {
                        "p50": round(median(late)),
                        "p95": round(percentile(late, 0.95)),
                        "slots": len(late),
                    }
                }
            ),
            flush=True,
        )
        taken = [takeover(bench) for _ in range(3)]
        print(json.dumps({"standby_leads_after_s": [round(one, 2) for one in taken]}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
