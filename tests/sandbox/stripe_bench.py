"""A running Stripe stand-in with the real SDK before it and a webhook receiver behind it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
import stripe

from soulseer.sandbox.serving import StandInServer
from soulseer.sandbox.stripe.app import create_app
from soulseer.sandbox.stripe.settings import StripeSettings
from soulseer.sandbox.stripe.standin import StandIn

SECRET_KEY = "sk_test_0123456789abcdef"
WEBHOOK_SECRET = "whsec_first"


def wait_until(condition: Callable[[], bool], seconds: float = 8) -> None:
    """Return once the condition holds; fails the test after `seconds`."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it never came about"
        time.sleep(0.01)


@dataclass
class Receiver:
    """A webhook endpoint that verifies each delivery with Stripe's own code and answers as it is told."""

    answers: list[int] = field(default_factory=list)  # the next statuses; 200 when used up
    events: list[dict[str, Any]] = field(default_factory=list)  # accepted with 200
    refused: int = 0

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                header = self.headers["Stripe-Signature"]
                try:
                    stripe.WebhookSignature.verify_header(body, header, WEBHOOK_SECRET, tolerance=300)
                except stripe.SignatureVerificationError:
                    self.send_error(400)
                    return
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status == 200:
                    receiver.events.append(json.loads(body))
                else:
                    receiver.refused += 1
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Quiet: the tests' output is for failures."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/stripe/webhook/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def types(self) -> list[str]:
        return [event["type"] for event in list(self.events)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Bench:
    """One running stand-in."""

    url: str
    stand_in: StandIn
    receiver: Receiver
    client: stripe.StripeClient

    def create(self, *, key: str | None = None, amount: int = 2_500, **changes: Any) -> Any:
        """A Checkout session as the product makes it."""
        parameters: dict[str, Any] = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": amount,
                        "product_data": {"name": "Wallet top-up"},
                    },
                }
            ],
            "client_reference_id": "person-1",
            "metadata": {"top_up_id": "7", "person_id": "1"},
            "success_url": "http://127.0.0.1:8000/wallet/?checkout={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://127.0.0.1:8000/wallet/",
            **changes,
        }
        options: Any = {"idempotency_key": key} if key else {}
        return self.client.v1.checkout.sessions.create(parameters, options)  # type: ignore[arg-type]

    def pay(self, session_id: str, card: str | None = None) -> requests.Response:
        body = {"card": card} if card else {}
        return requests.post(f"{self.url}/sandbox/checkout/{session_id}/pay", json=body, timeout=5)

    def faults(self, **wanted: Any) -> None:
        answer = requests.post(f"{self.url}/sandbox/faults", json=wanted, timeout=5)
        assert answer.status_code == 200, answer.text

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> requests.Response:
        """A raw API call."""
        headers = {
            "Authorization": f"Bearer {SECRET_KEY}",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return requests.post(f"{self.url}/v1{path}", data=data, headers=headers, timeout=10)


@contextmanager
def running(directory: Path, receiver: Receiver, **changes: Any) -> Iterator[Bench]:
    """A stand-in over the state in `directory`; webhooks retry after 50 ms, 100 ms, … so that tests are quick."""
    settings = StripeSettings(
        base_url="http://unknown",
        secret_key=SECRET_KEY,
        webhook_secret=WEBHOOK_SECRET,
        webhook_url=receiver.url,
        product_url="http://127.0.0.1:8000",
        directory=directory,
        first_retry_seconds=0.05,
        shortest_checkout_seconds=0,
    )
    server = StandInServer(lambda environ, start_response: app(environ, start_response), 0, poll_seconds=0.02)
    stand_in = StandIn(replace(settings, **{"base_url": server.url, **changes}))
    app = create_app(stand_in)
    client = stripe.StripeClient(SECRET_KEY, base_addresses={"api": server.url}, max_network_retries=0)
    with server:
        stand_in.courier.start()
        try:
            yield Bench(server.url, stand_in, receiver, client)
        finally:
            stand_in.close()
