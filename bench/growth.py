"""How the tick grows: more sessions, more rows behind, few of many due, two workers; and a top-up meanwhile.

python -m bench.growth [largest number of sessions]
"""

import json
import subprocess
import sys
import threading
import time
from datetime import timedelta
from decimal import Decimal

from bench.harness import START, Bench, add_sessions, median, percentile, product, seconds
from bench.tick import check, tick
from soulseer.db import transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.services import ledger

REPETITIONS = 5


class Clock:
    """Hands out the minutes that are charged next; each tick charges one minute of every session."""

    def __init__(self) -> None:
        self.minute = 0

    def next(self) -> int:
        self.minute += 1
        return self.minute


def microseconds(bench: Bench, clock: Clock, sessions: int, repetitions: int = REPETITIONS) -> float:
    """Median time per due session."""
    spent = []
    for place in range(repetitions + 1):
        minute = clock.next()
        took = seconds(lambda minute=minute: check(tick(minute), sessions))
        if place:
            spent.append(took / sessions * 1e6)
        bench.database.execute("VACUUM reading_session, ledger_account, ledger_shard, reading_minute")
    return median(spent)


def by_size(bench: Bench, clock: Clock, largest: int) -> dict[str, float]:
    """Microseconds per due session at each size up to ``largest``."""
    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= largest]
    found, there = {}, 0
    for size in sizes:
        paid_until = START + timedelta(minutes=clock.minute)
        add_sessions(bench, size - there, first=there + 1, paid_until=paid_until)
        there = size
        found[str(size)] = round(microseconds(bench, clock, size, 3 if size > 100_000 else REPETITIONS), 1)
    return found


def few_due(bench: Bench, clock: Clock, sessions: int) -> float:
    """The tick with 1 % due, as a part of the full tick."""
    parts = []
    for _ in range(3):
        bench.database.execute(
            "UPDATE reading_session SET paid_until = paid_until + interval '1 day' WHERE state = 'active' AND id % 100 <> 0",
            prepare=False,
        )
        bench.database.execute("VACUUM ANALYZE reading_session")
        few = clock.next()
        part = seconds(lambda few=few: check(tick(few), sessions // 100))
        bench.database.execute(
            "UPDATE reading_session SET paid_until = %s WHERE state = 'active'",
            [START + timedelta(minutes=clock.minute)],
        )
        bench.database.execute("VACUUM ANALYZE reading_session")
        full = clock.next()
        parts.append(part / seconds(lambda full=full: check(tick(full), sessions)))
    return round(median(parts), 4)


def rows_behind(bench: Bench, clock: Clock, sessions: int, rows: int) -> float:
    """Time per due session with ``rows`` ledger rows of old sessions behind, over that without."""
    before = microseconds(bench, clock, sessions)
    for place in range(10):
        bench.database.execute(
            "INSERT INTO reading_minute (reading_session_id, charged_at, minute, amount, reader_part, platform_part) "
            "SELECT -n / 60 - 1, %s, n %% 60 + 1, 199, 139, 60 FROM generate_series(%s::bigint, %s) n",
            [START, place * rows // 10, (place + 1) * rows // 10 - 1],
        )
    bench.database.execute("VACUUM ANALYZE reading_minute")
    return round(microseconds(bench, clock, sessions) / before, 2)


def two_workers(bench: Bench, clock: Clock, sessions: int) -> float:
    """Sessions a second of two processes over that of one, each process ready before the start."""
    workers = [part_worker("1/2"), part_worker("2/2")]
    single = part_worker("1/1")
    try:
        ratios = []
        for _ in range(4):
            one = together([single], clock.next(), sessions)
            two = together(workers, clock.next(), sessions)
            ratios.append(one / two)
            bench.database.execute("VACUUM reading_session, ledger_account, ledger_shard")
        return round(median(ratios[1:]), 2)
    finally:
        for worker in (*workers, single):
            worker.kill()


def part_worker(part: str) -> "subprocess.Popen[str]":
    """A worker process of its own that waits for minutes to charge."""
    command = [sys.executable, "-m", "bench.part", part]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def together(workers: list["subprocess.Popen[str]"], minute: int, sessions: int) -> float:
    """Seconds until all workers have charged their parts."""
    started = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{minute}\n")
        worker.stdin.flush()
    charged = 0
    for worker in workers:
        assert worker.stdout is not None
        charged += int(worker.stdout.readline())
    check(charged, sessions)
    return time.perf_counter() - started


def top_up(person_id: int, number: int) -> float:
    """Seconds that a top-up's transaction takes."""

    def work() -> None:
        with transaction():
            postings = [
                ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), Decimal("-10.00")),
                ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, person_id), Decimal("10.00")),
            ]
            ledger.post(TransferKind.TOP_UP, f"bench:top-up:{number}", postings, START)

    return seconds(work)


def top_ups_meanwhile(bench: Bench, clock: Clock, sessions: int) -> dict[str, float]:
    """p99 of a top-up in milliseconds, idle and while ticks run."""
    row = bench.database.execute("SELECT id FROM person WHERE subject = 'c1'").fetchone()
    assert row is not None
    person, number = int(row[0]), 0
    for number in range(50):
        top_up(person, number)
    idle = [top_up(person, number := number + 1) for _ in range(600)]
    worker = part_worker("1/1")
    # Two checkpoints with work between them, so that the log's files are there to be used again.
    for _ in range(2):
        together([worker], clock.next(), sessions)
        bench.database.execute("CHECKPOINT")
    together([worker], clock.next(), sessions)
    stop = threading.Event()

    def ticks() -> None:
        while not stop.is_set():
            together([worker], clock.next(), sessions)

    thread = threading.Thread(target=ticks)
    thread.start()
    busy = []
    until = time.monotonic() + 15
    while time.monotonic() < until:
        busy.append(top_up(person, number := number + 1))
        time.sleep(0.005)
    stop.set()
    thread.join()
    worker.kill()
    idle_p99, busy_p99 = percentile(idle, 0.99) * 1000, percentile(busy, 0.99) * 1000
    return {
        "idle_p99_ms": round(idle_p99, 1),
        "busy_p99_ms": round(busy_p99, 1),
        "ratio": round(busy_p99 / idle_p99, 1),
    }


def main(largest: int) -> None:
    clock = Clock()
    with product() as bench:
        middle = min(largest, 100_000)
        print(json.dumps({"microseconds_a_session": by_size(bench, clock, middle)}), flush=True)
        print(json.dumps({"top_ups": top_ups_meanwhile(bench, clock, middle)}), flush=True)
        print(json.dumps({"two_workers_over_one": two_workers(bench, clock, middle)}), flush=True)
        print(json.dumps({"one_percent_due_over_full": few_due(bench, clock, middle)}), flush=True)
        print(
            json.dumps({"with_10_million_rows_behind": rows_behind(bench, clock, middle, 10_000_000)}),
            flush=True,
        )
    if largest > middle:
        with product() as bench:
            print(json.dumps({"microseconds_a_session": by_size(bench, Clock(), largest)}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
