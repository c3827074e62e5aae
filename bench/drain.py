"""How long one worker takes to act on many deliveries, each the payment of another top-up: Stripe's stand-in is asked
about each, and each is credited."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from flask import Flask

from bench.harness import Bench, add_sessions
from bench.paid_top_ups import copies
from soulseer import gateways
from soulseer.blueprints import wallet
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.gateways.stripe import StripeEvent, StripeGateway
from soulseer.models.payments import TopUp
from soulseer.sandbox.serving import StandInServer
from soulseer.sandbox.stripe.app import create_app
from soulseer.sandbox.stripe.settings import StripeSettings
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.services import webhooks

REPOSITORY = Path(__file__).resolve().parent.parent
KEY = "sk_test_bench"


@contextmanager
def stripe(directory: Path) -> Iterator[tuple[StandIn, str]]:
    """The stand-in on a free port, and our own gateway speaking to it."""
    holder: dict[str, Flask] = {}
    server = StandInServer(lambda environ, answer: holder["app"](environ, answer), 0)
    stand_in = StandIn(
        StripeSettings(
            base_url=server.url,
            secret_key=KEY,
            webhook_secret="unused",
            webhook_url="http://127.0.0.1:9/",
            product_url="http://127.0.0.1:9",
            directory=directory,
        )
    )
    holder["app"] = create_app(stand_in)
    gateways.configure(
        replace(
            gateways.current(),
            stripe=StripeGateway(secret_key=KEY, api_base=server.url, signing_secrets=()),
        )
    )
    with server:
        yield stand_in, server.url
    stand_in.close()


def filled(bench: Bench, stand_in: StandIn, url: str, count: int) -> int:
    """Store ``count`` deliveries, each of a paid top-up; the row of the last."""
    add_sessions(bench, 1)
    row = bench.database.execute("SELECT client_id FROM reading_session ORDER BY id LIMIT 1").fetchone()
    assert row is not None
    first = wallet.start(row[0], Decimal("25.00"), key=None)
    requests.post(f"{url}/sandbox/faults", json={"drop_webhooks": 1000}, timeout=5).raise_for_status()
    requests.post(
        f"{url}/sandbox/checkout/{first.stripe_checkout_session_id}/pay", timeout=5
    ).raise_for_status()
    with transaction():
        paid = db.session.get_one(TopUp, first.id, populate_existing=True)
    now, last = clock.now(), None
    made = copies(stand_in, paid, count, now)
    with transaction():
        for one in made:
            kind = "checkout.session.completed"
            body = {"id": f"evt_{one.top_up_id}", "object": "event", "type": kind, "livemode": False,
                    "created": int(now.timestamp()), "data": {"object": one.checkout}}  # fmt: skip
            event = StripeEvent(f"evt_{one.top_up_id}", kind, False, now)
            last = webhooks.receive(event, json.dumps(body, indent=2).encode(), now)
    assert last is not None
    bench.database.execute("VACUUM ANALYZE")
    return last


def drain(bench: Bench, count: int) -> dict[str, Any]:
    """Seconds from the wake of one idle worker process to the last credit, and credits a second."""
    with tempfile.TemporaryDirectory() as directory, stripe(Path(directory)) as (stand_in, url):
        last = filled(bench, stand_in, url, count)
        environment = {**os.environ, **bench.environment, "STRIPE_API_BASE": url, "STRIPE_SECRET_KEY": KEY}
        worker = subprocess.Popen(
            [sys.executable, "-m", "flask", "jobs", "worker"],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not gateways.current().queue.workers():
                time.sleep(0.1)
            started = time.perf_counter()
            webhooks.wake(last)
            while left(bench):
                assert worker.poll() is None, "the worker ended"
                time.sleep(0.1)
            took = time.perf_counter() - started
        finally:
            worker.terminate()
            worker.wait()
    credited = bench.database.execute(
        "SELECT count(*) FROM ledger_transaction WHERE kind = 'top_up'"
    ).fetchone()
    # The one that was copied may have been found by the sweep of top-ups meanwhile.
    assert credited in ((count,), (count + 1,)), credited
    return {"drained": count, "seconds": round(took, 1), "a_second": round(count / took)}


def left(bench: Bench) -> int:
    row = bench.database.execute(
        "SELECT count(*) FROM webhook_event WHERE type = 'checkout.session.completed' AND status IN ('received', 'failed')"
    ).fetchone()
    assert row is not None
    return int(row[0])
