"""The tick against the per-session loop, the same in plpgsql, and the bare floor, interleaved in one run.

python -m bench.tick [sessions] [repetitions]
"""

import json
import sys
from datetime import timedelta

from bench import rivals
from bench.harness import START, Bench, add_sessions, median, product, seconds, table_bytes, wal_position
from soulseer.jobs import billing_tick
from soulseer.jobs.context import JobContext


def tick(minute: int) -> int:
    """Charge the minute that is due ``minute`` minutes after START; how many were charged."""
    now = START + timedelta(minutes=minute - 1, seconds=31)
    return int(billing_tick.run(JobContext(now=now))["minutes"])


def measure(bench: Bench, sessions: int, repetitions: int) -> dict[str, object]:
    add_sessions(bench, sessions)
    rivals.set_up(bench)
    orm = rivals.OrmLoop(bench.environment["DATABASE_URL"])
    sample, small = min(sessions, 400), min(sessions, 3_000)
    rates: dict[str, list[float]] = {"tick": [], "orm": [], "plpgsql": [], "floor": []}
    wal: dict[str, list[float]] = {"tick": [], "orm": []}
    # The first round warms caches and pages, and is not counted.
    for minute in range(1, repetitions + 2):
        before = wal_position(bench)
        spent = {"tick": seconds(lambda minute=minute: check(tick(minute), sessions)) / sessions}
        wal["tick"].append((wal_position(bench) - before) / sessions)
        before = wal_position(bench)
        spent["orm"] = seconds(lambda: orm.run(1, sample)) / sample
        wal["orm"].append((wal_position(bench) - before) / sample)
        spent["plpgsql"] = seconds(
            lambda: rivals.plpgsql(bench, 1 + sample, min(sessions, sample + small))
        ) / max(1, min(sessions, sample + small) - sample)
        spent["floor"] = seconds(lambda: rivals.floor(bench)) / sessions
        if minute > 1:
            for name, each in spent.items():
                rates[name].append(1 / each)
        bench.database.execute("VACUUM")
    rate = {name: median(values) for name, values in rates.items()}
    charged = sessions * (repetitions + 1)
    ours = table_bytes(bench, "reading_minute") / charged
    orm_rows = bench.database.execute("SELECT count(*) FROM rival.transaction").fetchone()
    assert orm_rows is not None
    theirs = table_bytes(bench, "rival.transaction", "rival.entry") / orm_rows[0]
    return {
        "sessions": sessions,
        "sessions_a_second": {name: round(value) for name, value in rate.items()},
        "tick_over_orm": round(rate["tick"] / rate["orm"], 1),
        "plpgsql_over_orm": round(rate["plpgsql"] / rate["orm"], 1),
        "tick_time_over_floor": round(rate["floor"] / rate["tick"], 2),
        "wal_bytes_a_charge": {name: round(median(values[1:])) for name, values in wal.items()},
        "ledger_bytes_a_charge": {"tick": round(ours), "orm": round(theirs)},
    }


def check(charged: int, expected: int) -> None:
    """A measurement of work that was not done is worth nothing."""
    if charged != expected:
        raise SystemExit(f"{charged} charged, {expected} expected")


if __name__ == "__main__":
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with product() as bench:
        print(json.dumps(measure(bench, sessions, repetitions), indent=1))
