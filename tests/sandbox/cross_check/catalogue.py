"""Customers, lists, products, prices, keys and webhooks: what is done on each server, and what is compared."""

from datetime import UTC, datetime
from typing import Any

import requests
import stripe

from soulseer.domain.errors import WebhookRejected
from soulseer.gateways import stripe_customers, stripe_setup
from tests.sandbox.cross_check.asking import ABSENT, Facts, answer, asked, flat
from tests.sandbox.cross_check.servers import KEY, SECRET, Server


def customers(server: Server) -> Facts:
    """Made by our gateway, read, changed, asked for in vain; without a key."""
    v1 = server.client.v1
    made = stripe_customers.create_customer(
        server.gateway, "a@demo.test", {"person": "7"}, server.fresh("key")
    )
    fields = ("object", "email", "name", "metadata.person", "livemode")
    more: Any = {"name": "Ada", "metadata": {"seen": "yes"}}
    bare = requests.get(f"{server.url}/v1/customers/{made}", timeout=10)
    return flat(
        prefix=made[:4],
        read=answer(lambda: v1.customers.retrieve(made), *fields),
        changed=answer(lambda: v1.customers.update(made, more), *fields, "metadata.seen"),
        unknown=answer(lambda: v1.customers.retrieve("cus_nobody")),
        keyless=bare.status_code,
    )


def pages(server: Server) -> Facts:
    """Five customers of one address, two to a page."""
    v1 = server.client.v1
    email = f"{server.fresh('pages')}@demo.test"
    made = [str(v1.customers.create({"email": email}).id) for _ in range(5)]
    found: list[str] = []
    sizes: list[int] = []
    more = True
    while more and len(sizes) < 5:
        wanted: Any = {"email": email, "limit": 2} | ({"starting_after": found[-1]} if found else {})
        page = v1.customers.list(wanted)
        sizes.append(len(page.data))
        found += [each.id for each in page.data]
        more = bool(page.has_more)
    nobody: Any = {"email": "nobody@demo.test"}
    return flat(
        sizes=sizes,
        each_once=sorted(found) == sorted(made),
        newest_first=found == made[::-1],
        none=answer(lambda: v1.customers.list(nobody), "object", "data", "has_more", "url"),
        limit_0=answer(lambda: v1.customers.list({"limit": 0})),
        limit_101=answer(lambda: v1.customers.list({"limit": 101})),
    )


def keys(server: Server) -> Facts:
    """A secret key is asked for."""
    url = f"{server.url}/v1/customers"
    told = requests.get(url, timeout=10)
    good = requests.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
    kind = (told.json().get("error") or {}).get("type", ABSENT)
    return {"without": told.status_code, "type": kind, "with": good.status_code}


def products(server: Server) -> Facts:
    """As `flask stripe setup` makes them."""
    gateway, name = server.gateway, server.fresh("product").replace("-", "_")
    made = stripe_setup.create_product(gateway, name, "Starter", {"plan": "starter"})
    v1 = server.client.v1
    return flat(
        under_our_id=made.id == name, name=made.name, active=made.active,
        read=answer(lambda: v1.products.retrieve(made.id), "object", "name", "active", "metadata.plan", "livemode"),
        twice=asked(lambda: stripe_setup.create_product(gateway, name, "Starter", {})),
        nameless=answer(lambda: v1.products.create({"name": ""})),
        unknown=answer(lambda: v1.products.retrieve("prod_none")),
    )  # fmt: skip


def prices(server: Server) -> Facts:
    gateway, v1 = server.gateway, server.client.v1
    made = server.price(2_900, "month")
    read = stripe_setup.find_price(gateway, made)
    assert read is not None
    listed = stripe_setup.prices_of(gateway, read.product_id)
    unknown: Any = {"product": "prod_none", "unit_amount": 100, "currency": "usd"}
    return flat(
        prefix=made[:6], amount=read.amount_cents, currency=read.currency, active=read.active, interval=read.interval,
        lookup_key=bool(read.lookup_key), listed=[each.id for each in listed] == [made],
        kind=answer(lambda: v1.prices.retrieve(made), "object", "type", "livemode"),
        none=stripe_setup.find_price(gateway, "price_none") is None,
        unknown_product=answer(lambda: v1.prices.create(unknown)),
    )  # fmt: skip


def webhooks(server: Server) -> Facts:
    """The delivery of one event: signed so that Stripe's SDK and our gateway believe it, and not with a byte changed."""
    made = server.customer()
    body, signature = server.delivered("customer.created", made)
    now = datetime.now(UTC)
    event = stripe.Webhook.construct_event(body, signature, SECRET).to_dict()  # type: ignore[no-untyped-call]

    def believed(payload: bytes, header: str) -> str:
        try:
            return server.gateway.verify_webhook(payload, header, now).type
        except WebhookRejected as error:
            return str(error)

    return flat(
        form=sorted(part.partition("=")[0] for part in signature.split(",")),
        event={name: event.get(name, ABSENT) for name in ("object", "type", "livemode")},
        id=str(event.get("id", ABSENT))[:4], created=type(event.get("created")).__name__,
        about={name: event["data"]["object"].get(name) for name in ("object", "livemode")},
        believed=believed(body, signature),
        one_byte_changed=believed(body.replace(b"cus_", b"cuz_", 1), signature),
        version_0_only=believed(body, signature.replace("v1=", "v0=")),
    )  # fmt: skip
