"""The webhook's door against a bare route that verifies and inserts, in turn, in one run; then how long a worker takes
to act on 5,000 deliveries, each the payment of a top-up.

python -m bench.webhooks [seconds for each turn] [deliveries to drain]        needs `wrk` (Debian's package)
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stripe import WebhookSignature

from bench.drain import drain
from bench.harness import median, product
from bench.pages import serve

ROUNDS, CONNECTIONS = 15, 8
SECRET = "whsec_bench"
# A Checkout session as Stripe sends it has some two kilobytes.
PADDING = {"note": "x" * 1800}


Server = tuple["subprocess.Popen[bytes]", int]


@dataclass
class Turn:
    """Deliveries a second, the 95th percentile of their milliseconds, and the server's processor time for each, in
    milliseconds: that alone does not depend on what else the machine does."""

    rate: float
    p95: float
    processor: float


def event(event_id: str, kind: str, about: dict[str, Any]) -> bytes:
    """An event's body."""
    body = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "type": kind,
    }
    return json.dumps(body, indent=2).encode()


def written(path: Path, count: int) -> None:
    """Write ``count`` signed deliveries of events never seen before, as the load generator reads them."""
    with path.open("wb") as file:
        for _ in range(count):
            payload = event(f"evt_{uuid.uuid4().hex}", "charge.updated", {"id": "ch_1", **PADDING})
            header = WebhookSignature.generate_signature_header(payload.decode(), SECRET)
            request = (
                b"POST /stripe/webhook/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                + f"Stripe-Signature: {header}\r\nContent-Length: {len(payload)}\r\n\r\n".encode()
                + payload
            )
            file.write(f"{len(request)}\n".encode() + request)


def processor_seconds(master: int) -> float:
    """Processor time so far of gunicorn's processes: user and system."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    ticks = 0
    for number in children:
        after_name = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def turn(server: Server, duration: int, requests: Path, count: int) -> Turn:
    """One turn of load; fails where anything was not answered with 200, or the deliveries did not suffice."""
    written(requests, count)
    process, port = server
    before = processor_seconds(process.pid)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{duration}s", "-s", "bench/webhooks.lua"]
    printed = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/stripe/webhook/"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "BENCH_REQUESTS": str(requests)},
    ).stdout
    found = next(line.split()[1:] for line in printed.splitlines() if line.startswith("RESULT"))
    answered, microseconds, p95, errors = map(int, found)
    if errors or answered > count:
        raise SystemExit(f"{errors} errors, {answered} of {count} deliveries: {printed}")
    used = processor_seconds(process.pid) - before
    return Turn(answered / microseconds * 1e6, p95 / 1000, used / answered * 1000)


def main(duration: int, deliveries: int) -> None:
    with product(stripe_webhook_signing_secret=(SECRET,)) as bench:
        # As shipped: each request writes its line.
        environment = {
            **bench.environment,
            "STRIPE_WEBHOOK_SIGNING_SECRET": SECRET,
            "LOG_LEVEL": "INFO",
        }
        servers = {
            "bare": serve("bench.bare_webhook:app", environment),
            "ours": serve("wsgi:app", environment),
        }
        turns: dict[str, list[Turn]] = {name: [] for name in servers}
        try:
            with tempfile.TemporaryDirectory() as directory:
                requests = Path(directory) / "requests"
                for server in servers.values():
                    turn(server, 1, requests, 5_000)  # warm
                for _ in range(ROUNDS):
                    for name, server in servers.items():
                        turns[name].append(turn(server, duration, requests, duration * 4_000))
        finally:
            for process, _ in servers.values():
                process.terminate()
            for process, _ in servers.values():
                process.wait()
        for name, each in turns.items():
            figures = {
                name: round(median([one.rate for one in each])),
                "p95_ms": round(median([one.p95 for one in each]), 1),
                "processor_ms": round(median([one.processor for one in each]), 2),
            }
            print(json.dumps(figures))
        processor = median([one.processor for one in turns["bare"]]) / median(
            [one.processor for one in turns["ours"]]
        )
        print(json.dumps({"of_bare_by_processor": round(processor, 2)}))
        ratios = [ours.rate / bare.rate for ours, bare in zip(turns["ours"], turns["bare"], strict=True)]
        print(json.dumps({"of_bare": round(median(ratios), 2), "each": [round(one, 2) for one in ratios]}))
        if deliveries:
            print(json.dumps(drain(bench, deliveries)))


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    main(*(numbers + [1, 5000][len(numbers) :]))
