"""The product on a real HTTP server, the Stripe stand-in on another, each talking to the other."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from flask import Flask
from sqlalchemy.event import listen, remove

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import policies
from soulseer.gateways.stripe import StripeGateway
from soulseer.sandbox.serving import StandInServer
from soulseer.sandbox.stripe.app import create_app
from soulseer.sandbox.stripe.settings import StripeSettings
from soulseer.sandbox.stripe.standin import StandIn

SECRET_KEY = "sk_test_0123456789"
OLD_SECRET, NEW_SECRET = "whsec_before", "whsec_after"


@dataclass(frozen=True)
class Sandbox:
    """Addresses of product and stand-in, and the switches of the latter."""

    product: str
    stripe: str
    stand_in: StandIn

    def faults(self, **wanted: object) -> None:
        requests.post(f"{self.stripe}/sandbox/faults", json=wanted, timeout=5).raise_for_status()

    def pay(self, checkout_session_id: str) -> requests.Response:
        """Pay as a buyer with a good card would."""
        return requests.post(f"{self.stripe}/sandbox/checkout/{checkout_session_id}/pay", timeout=10)

    def checkouts(self) -> list[dict]:
        """Every Checkout session that Stripe has, newest first."""
        answer = requests.get(
            f"{self.stripe}/v1/checkout/sessions", params={"limit": 100}, auth=(SECRET_KEY, ""), timeout=5
        )
        answer.raise_for_status()
        return answer.json()["data"]

    def events(self, kind: str) -> list[dict]:
        """Stripe's own list of its events of one type, oldest first."""
        answer = requests.get(
            f"{self.stripe}/v1/events", params={"limit": 100, "type": kind}, auth=(SECRET_KEY, ""), timeout=5
        )
        answer.raise_for_status()
        return answer.json()["data"][::-1]


@pytest.fixture(scope="session")
def product(migrated_app: Flask) -> Iterator[StandInServer]:
    with StandInServer(migrated_app, 0) as server:
        yield server


class _Newest:
    """Stands for the stand-in of the test that runs: pages and server are made once, what they serve is fresh."""

    stand_in: StandIn

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stand_in, name)


@pytest.fixture(scope="session")
def stripe_server(
    product: StandInServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[StandInServer, StripeSettings, _Newest]]:
    """The stand-in's server, the settings that all of its tests share, and who answers."""
    holder: dict[str, Flask] = {}
    newest = _Newest()
    with StandInServer(lambda environ, start: holder["app"](environ, start), 0) as server:
        settings = StripeSettings(
            base_url=server.url,
            secret_key=SECRET_KEY,
            webhook_secret=NEW_SECRET,
            webhook_url=f"{product.url}/stripe/webhook/",
            product_url=product.url,
            directory=tmp_path_factory.mktemp("stripe"),
            first_retry_seconds=0.2,
            unsubscribed=("customer.created",),
        )
        newest.stand_in = StandIn(settings)
        holder["app"] = create_app(cast(StandIn, newest))
        newest.stand_in.close()
        yield server, settings, newest


@pytest.fixture
def sandbox(
    app: Flask,
    product: StandInServer,
    stripe_server: tuple[StandInServer, StripeSettings, _Newest],
    tmp_path: Path,
) -> Iterator[Sandbox]:
    """A fresh stand-in for the test; nothing of an earlier test is left in it."""
    server, settings, newest = stripe_server
    stand_in = newest.stand_in = StandIn(replace(settings, directory=tmp_path))
    gateways_before, policies_before = gateways.current(), policies.current()
    stripe = StripeGateway(
        secret_key=SECRET_KEY, api_base=server.url, signing_secrets=(OLD_SECRET, NEW_SECRET)
    )
    gateways.configure(replace(gateways_before, stripe=stripe))
    policies.configure(replace(policies_before, app_base_url=product.url))
    try:
        stand_in.courier.start()
        yield Sandbox(product.url, server.url, stand_in)
        server.wait_for_requests()
        stand_in.close()
    finally:
        gateways.configure(gateways_before)
        policies.configure(policies_before)


def in_threads(app: Flask, count: int, call) -> list:
    """Call ``call(number)`` in ``count`` threads at once, each in an app context; raises what any of them raised."""
    results: list = [None] * count
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        with app.app_context():
            start.wait()
            try:
                results[number] = call(number)
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """Every SQL statement sent from now on, but those that begin and end transactions."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    listen(db.engine, "before_cursor_execute", note)
    yield sent
    remove(db.engine, "before_cursor_execute", note)
