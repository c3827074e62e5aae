"""Products, prices and the webhook endpoint at Stripe. Amounts are whole cents, currencies upper case."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from soulseer.gateways.stripe import StripeGateway, known


@dataclass(frozen=True)
class Product:
    """What Stripe calls a product."""

    id: str
    name: str
    active: bool


@dataclass(frozen=True)
class Price:
    """A recurring price; ``interval`` is month or year."""

    id: str
    product_id: str
    amount_cents: int | None
    currency: str
    interval: str | None
    active: bool
    lookup_key: str | None


@dataclass(frozen=True)
class Endpoint:
    """A webhook endpoint; Stripe tells its ``secret`` only when it is made."""

    id: str
    url: str
    types: frozenset[str]
    enabled: bool
    secret: str | None = None


def find_product(stripe: StripeGateway, product_id: str) -> Product | None:
    """The product of this id; None where there is none. Raises StripeUnavailable, StripeRefused."""
    return known(lambda: _product(stripe.call(lambda client: client.v1.products.retrieve(product_id))))


def create_product(stripe: StripeGateway, product_id: str, name: str, metadata: Mapping[str, str]) -> Product:
    """Make the product under our own id: a second one of that id is refused. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"id": product_id, "name": name, "metadata": dict(metadata)}
    return _product(stripe.call(lambda client: client.v1.products.create(params)))


def update_product(stripe: StripeGateway, product_id: str, name: str) -> Product:
    """Give the product its name, and put it up again. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"name": name, "active": True}
    return _product(stripe.call(lambda client: client.v1.products.update(product_id, params)))


def prices_of(stripe: StripeGateway, product_id: str) -> list[Price]:
    """The product's prices that new subscriptions may use. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"product": product_id, "active": True, "limit": 100}
    return [_price(found) for found in stripe.call(lambda client: client.v1.prices.list(params))["data"]]


def find_price(stripe: StripeGateway, price_id: str) -> Price | None:
    """The price of this id; None where there is none. Raises StripeUnavailable, StripeRefused."""
    return known(lambda: _price(stripe.call(lambda client: client.v1.prices.retrieve(price_id))))


def create_price(
    stripe: StripeGateway,
    *,
    product_id: str,
    amount_cents: int,
    currency: str,
    interval: str,
    lookup_key: str,
    metadata: Mapping[str, str],
    idempotency_key: str,
) -> Price:
    """Make a price; its ``lookup_key`` is taken over from the price that had it. Raises StripeUnavailable, StripeRefused."""
    params: Any = {
        "product": product_id,
        "unit_amount": amount_cents,
        "currency": currency.lower(),
        "recurring": {"interval": interval},
        "lookup_key": lookup_key,
        "transfer_lookup_key": True,
        "metadata": dict(metadata),
    }
    return _price(
        stripe.call(lambda client: client.v1.prices.create(params, {"idempotency_key": idempotency_key}))
    )


def put_up_price(stripe: StripeGateway, price_id: str, lookup_key: str) -> Price:
    """Make an archived price the one that counts again. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"active": True, "lookup_key": lookup_key, "transfer_lookup_key": True}
    return _price(stripe.call(lambda client: client.v1.prices.update(price_id, params)))


def archive_price(stripe: StripeGateway, price_id: str) -> Price:
    """No new subscription may use the price; those that have it keep it. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"active": False}
    return _price(stripe.call(lambda client: client.v1.prices.update(price_id, params)))


def endpoints(stripe: StripeGateway) -> list[Endpoint]:
    """The account's webhook endpoints, at most 100. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"limit": 100}
    return [
        _endpoint(found)
        for found in stripe.call(lambda client: client.v1.webhook_endpoints.list(params))["data"]
    ]


def create_endpoint(stripe: StripeGateway, url: str, types: Iterable[str], idempotency_key: str) -> Endpoint:
    """Make the endpoint; its secret is told this once. Raises StripeUnavailable, StripeRefused."""
    params: Any = {
        "url": url,
        "enabled_events": sorted(types),
        "description": "SoulSeer",
        "metadata": {"soulseer": "inbox"},
    }
    return _endpoint(
        stripe.call(
            lambda client: client.v1.webhook_endpoints.create(params, {"idempotency_key": idempotency_key})
        )
    )


def update_endpoint(stripe: StripeGateway, endpoint_id: str, types: Iterable[str]) -> Endpoint:
    """Have the endpoint sent events of ``types``, and switch it on. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"enabled_events": sorted(types), "disabled": False}
    return _endpoint(stripe.call(lambda client: client.v1.webhook_endpoints.update(endpoint_id, params)))


def _product(found: Mapping[str, Any]) -> Product:
    return Product(found["id"], found["name"], found["active"])


def _price(found: Mapping[str, Any]) -> Price:
    product, recurring = found["product"], found.get("recurring") or {}
    return Price(
        id=found["id"],
        product_id=product if isinstance(product, str) else product["id"],
        amount_cents=found.get("unit_amount"),
        currency=found["currency"].upper(),
        interval=recurring.get("interval"),
        active=found["active"],
        lookup_key=found.get("lookup_key"),
    )


def _endpoint(found: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        id=found["id"],
        url=found["url"],
        types=frozenset(found["enabled_events"]),
        enabled=found["status"] == "enabled",
        secret=found.get("secret"),
    )
