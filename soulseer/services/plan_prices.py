"""Products and prices at Stripe: found by our own names for them, made where they are missing.

Each opens its own transactions around the calls: call them outside any.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select, update

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain.money import to_cents
from soulseer.gateways import stripe_setup
from soulseer.gateways.stripe import StripeRefused
from soulseer.gateways.stripe_setup import Price
from soulseer.models.subscriptions import Plan, PlanPrice
from soulseer.services.plans import INTERVALS, price_row


@dataclass(frozen=True)
class Wanted:
    """A price as it is to be at Stripe; ``key`` is our own name of the row, the same at every retry."""

    row_id: int
    code: str
    name: str
    interval: str
    amount_cents: int
    currency: str
    stripe_price_id: str | None
    key: str

    @property
    def product_id(self) -> str:
        """Our own id, so that it is found again and never made twice."""
        return f"soulseer_{self.code}"

    @property
    def lookup_key(self) -> str:
        return f"soulseer_{self.code}_{self.interval}"


def wanted(plan_price_id: int) -> Wanted:
    """What the row asks for. One statement."""
    row, plan = db.session.execute(
        select(PlanPrice, Plan).join(Plan, Plan.id == PlanPrice.plan_id).where(PlanPrice.id == plan_price_id)
    ).one()
    return Wanted(
        row.id,
        plan.code,
        plan.name,
        row.interval,
        to_cents(row.amount),
        row.currency,
        row.stripe_price_id,
        f"plan-price:{row.id}:{int(row.created_at.timestamp() * 1_000_000)}",
    )


def ensure(plan_price_id: int) -> str:
    """The row's price id at Stripe, made there first if need be. Raises StripeUnavailable, StripeRefused."""
    with transaction():
        price = wanted(plan_price_id)
    if price.stripe_price_id is not None:
        return price.stripe_price_id
    ensure_product(price)
    found = fitting(price) or create(price)
    remember(price, found.id)
    return found.id


def ensure_product(price: Wanted) -> str:
    """Have the product at Stripe; says what was done. Raises StripeUnavailable, StripeRefused."""
    stripe = gateways.current().stripe
    found = stripe_setup.find_product(stripe, price.product_id)
    if found is None:
        try:
            stripe_setup.create_product(stripe, price.product_id, price.name, {"soulseer_plan": price.code})
        except StripeRefused:
            # Somebody else was quicker, or an answer was lost: then it is there.
            if stripe_setup.find_product(stripe, price.product_id) is None:
                raise
            return "there already"
        return "created"
    if found.name != price.name or not found.active:
        stripe_setup.update_product(stripe, price.product_id, price.name)
        return "updated"
    return "there already"


def fitting(price: Wanted) -> Price | None:
    """The active price at Stripe that is the wanted one; None where there is none. Raises StripeUnavailable, StripeRefused."""
    for found in stripe_setup.prices_of(gateways.current().stripe, price.product_id):
        if found.lookup_key == price.lookup_key and same(price, found):
            return found
    return None


def same(price: Wanted, found: Price) -> bool:
    """Whether Stripe's price is what the row says."""
    expected = (price.product_id, price.amount_cents, price.currency, price.interval)
    return (found.product_id, found.amount_cents, found.currency, found.interval) == expected


def create(price: Wanted) -> Price:
    """Make the price; the one that had its place loses the lookup key. Raises StripeUnavailable, StripeRefused."""
    return stripe_setup.create_price(
        gateways.current().stripe,
        product_id=price.product_id,
        amount_cents=price.amount_cents,
        currency=price.currency,
        interval=price.interval,
        lookup_key=price.lookup_key,
        metadata={"soulseer_plan": price.code},
        idempotency_key=price.key,
    )


def remember(price: Wanted, stripe_price_id: str) -> None:
    """Record what the row is called at Stripe; opens a transaction."""
    with transaction():
        db.session.execute(
            update(PlanPrice).where(PlanPrice.id == price.row_id).values(stripe_price_id=stripe_price_id)
        )
        db.session.execute(
            update(Plan).where(Plan.code == price.code).values(stripe_product_id=price.product_id)
        )


def wanted_now(now: datetime) -> list[int]:
    """The price rows of every plan that is offered and costs something; call it inside transaction()."""
    paid = db.session.scalars(
        select(Plan).where(Plan.active, Plan.monthly_price > Decimal(0)).order_by(Plan.position, Plan.id)
    ).all()
    return [price_row(plan, interval, now).id for plan in paid for interval in INTERVALS]
