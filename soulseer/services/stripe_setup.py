"""``flask stripe setup``: products, prices and the webhook endpoint, as often as one likes with the same end."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from soulseer import gateways
from soulseer.db import transaction
from soulseer.domain import policies
from soulseer.gateways import stripe_setup
from soulseer.services import plan_prices
from soulseer.services.plan_prices import Wanted


@dataclass(frozen=True)
class Step:
    """What was done (or, on a dry run, would be) to one thing at Stripe. ``secret``: told once, when it is made."""

    object: str
    name: str
    did: str
    id: str = ""
    secret: str = ""


def run(types: Iterable[str], now: datetime, *, dry_run: bool = False) -> Iterator[Step]:
    """Bring Stripe to what our plans and our inbox need, a step at a time. Raises StripeUnavailable, StripeRefused.

    ``types``: the event types that we act on. A dry run changes nothing, here and there.
    """
    prices = _wanted(now, dry_run)
    named: set[str] = set()
    for price in prices:
        if price.product_id not in named:
            named.add(price.product_id)
            yield Step("product", price.name, _product(price, dry_run), price.product_id)
        yield from _price(price, dry_run)
    yield _endpoint(f"{policies.current().app_base_url}/stripe/webhook/", frozenset(types), now, dry_run)


class _DryRun(Exception):
    """Takes back what a dry run wrote."""


def _wanted(now: datetime, dry_run: bool) -> list[Wanted]:
    found: list[Wanted] = []
    try:
        with transaction():
            found = [plan_prices.wanted(row_id) for row_id in plan_prices.wanted_now(now)]
            if dry_run:
                raise _DryRun
    except _DryRun:
        return found
    return found


def _product(price: Wanted, dry_run: bool) -> str:
    if not dry_run:
        return plan_prices.ensure_product(price)
    found = stripe_setup.find_product(gateways.current().stripe, price.product_id)
    if found is None:
        return "would be created"
    return "there already" if found.active and found.name == price.name else "would be updated"


def _price(price: Wanted, dry_run: bool) -> Iterator[Step]:
    stripe = gateways.current().stripe
    words = f"{price.name}, {price.amount_cents / 100:.2f} {price.currency} a {price.interval}"
    found = stripe_setup.find_price(stripe, price.stripe_price_id) if price.stripe_price_id else None
    if found is None or not plan_prices.same(price, found):
        found = plan_prices.fitting(price)
    if found is None:
        did = "would be created" if dry_run else "created"
        found = None if dry_run else plan_prices.create(price)
    elif not found.active or found.lookup_key != price.lookup_key:
        did = "would be put up again" if dry_run else "put up again"
        found = found if dry_run else stripe_setup.put_up_price(stripe, found.id, price.lookup_key)
    else:
        did = "there already"
    if found is not None and found.id != price.stripe_price_id and not dry_run:
        plan_prices.remember(price, found.id)
    yield Step("price", words, did, found.id if found else "")
    for other in stripe_setup.prices_of(stripe, price.product_id):
        if other.interval == price.interval and (found is None or other.id != found.id):
            if not dry_run:
                stripe_setup.archive_price(stripe, other.id)
            old = f"{price.name}, {(other.amount_cents or 0) / 100:.2f} {other.currency} a {other.interval}"
            yield Step("price", old, "would be archived" if dry_run else "archived", other.id)


def _endpoint(url: str, types: frozenset[str], now: datetime, dry_run: bool) -> Step:
    stripe = gateways.current().stripe
    ours = [one for one in stripe_setup.endpoints(stripe) if one.url == url]
    if not ours:
        if dry_run:
            return Step("webhook endpoint", url, f"would be created for {len(types)} types of event")
        # A lost answer is asked for again under this key by the gateway; a later run finds the endpoint by its address.
        key = f"webhook-endpoint:{hashlib.sha256(url.encode()).hexdigest()[:16]}:{int(now.timestamp() * 1_000_000)}"
        made = stripe_setup.create_endpoint(stripe, url, types, key)
        return Step(
            "webhook endpoint", url, f"created for {len(types)} types of event", made.id, made.secret or ""
        )
    # One that is on before one that is off.
    found = sorted(ours, key=lambda one: not one.enabled)[0]
    missing, needless = sorted(types - found.types), sorted(found.types - types)
    if found.enabled and not missing and not needless:
        return Step("webhook endpoint", url, "there already", found.id)
    changes = [f"+{name}" for name in missing] + [f"-{name}" for name in needless]
    changes += [] if found.enabled else ["switched on"]
    if not dry_run:
        stripe_setup.update_endpoint(stripe, found.id, types)
    return Step(
        "webhook endpoint",
        url,
        f"{'would be updated' if dry_run else 'updated'}: {' '.join(changes)}",
        found.id,
    )
