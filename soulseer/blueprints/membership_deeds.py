"""What the membership page does in several steps: the intent recorded, Stripe asked outside any transaction, the outcome recorded."""

from collections.abc import Iterable
from datetime import datetime

from soulseer import gateways
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, NotFound
from soulseer.gateways import stripe_subscriptions
from soulseer.gateways.stripe import StripeRefused
from soulseer.gateways.stripe_subscriptions import Preview, SubscriptionCheckout
from soulseer.models.subscriptions import BEGINNING, LIVE, Plan, Subscription
from soulseer.services import (
    customers,
    plan_prices,
    plans,
    subscription_mirror,
    subscription_orders,
    subscriptions,
)
from soulseer.services.subscriptions import AlreadySubscribed, Standing


def subscribe_to(person_id: int, audiences: Iterable[str], code: str, interval: str) -> Subscription:
    """The person's way to the plan: a row with an open checkout, the same at every click.

    An open checkout of another plan is closed first. Raises InvalidInput, AlreadySubscribed, StripeUnavailable (may be
    repeated), StripeRefused.
    """
    # Twice: an earlier checkout may have to make room.
    for _ in range(2):
        with transaction():
            plan = plans.chosen(code, interval, audiences)
            now = clock.now()
            wanted = plans.price_row(plan, interval, now).id
            row = subscriptions.begin(person_id, plan, interval, now)
        if row.plan_price_id == wanted:
            opened = _open(row)
            if opened.state in BEGINNING:
                return opened
            if opened.state in LIVE:
                # It was completed meanwhile, and its event is late.
                raise AlreadySubscribed()
        elif withdraw(row).state in LIVE:
            raise AlreadySubscribed()
    raise Conflict("This has just changed; please look again.")


def _open(row: Subscription) -> Subscription:
    try:
        customer_id = customers.ensure(row.person_id, clock.now())
        price_id = plan_prices.ensure(row.plan_price_id)
        checkout = subscriptions.open_checkout(row, customer_id, price_id)
    except StripeRefused:
        with transaction():
            subscriptions.close(subscriptions.locked(row.id), "failed", subscriptions.REFUSED, clock.now())
        raise
    return _record(row.id, checkout)


def withdraw(row: Subscription) -> Subscription:
    """Close the checkout of a subscription that is being begun; the row as it then is: expired, or live after all.

    Raises StripeUnavailable, StripeRefused.
    """
    if row.stripe_checkout_session_id is None:
        # Opened under the row's key first: an earlier request may have opened it and never learned of it.
        row = _open(row)
    if row.state not in BEGINNING or row.stripe_checkout_session_id is None:
        return row
    stripe = gateways.current().stripe
    return _record(row.id, stripe_subscriptions.expire_checkout(stripe, row.stripe_checkout_session_id))


def _record(subscription_id: int, checkout: SubscriptionCheckout) -> Subscription:
    with transaction():
        row = subscriptions.record_checkout(subscription_id, checkout, clock.now())
    if checkout.subscription_id is None or row.state not in BEGINNING:
        return row
    word = subscription_mirror.ask(checkout.subscription_id)
    with transaction():
        if word is not None:
            subscription_mirror.mirror(subscription_id, word, clock.now(), cause="checkout completed")
        return subscriptions.locked(subscription_id)


def preview(
    person_id: int, subscription_id: int, code: str, interval: str, now: datetime
) -> tuple[Standing, Plan, Preview]:
    """What changing to the plan would cost, by Stripe's own reckoning at ``now``.

    Raises NotFound, InvalidInput, Conflict, StripeUnavailable, StripeRefused.
    """
    with transaction():
        standing = subscriptions.owned(person_id, subscription_id)
        row = standing.subscription
        plan = plans.chosen(code, interval, [row.audience])
        price = plans.price_row(plan, interval, now)
    if row.state not in LIVE or row.stripe_subscription_id is None:
        raise Conflict("This plan is not running any more.")
    if row.state in ("past_due", "lapsed"):
        raise Conflict("The last payment failed: please pay it first, then change the plan.")
    if price.id == row.plan_price_id:
        raise Conflict("This is your plan already.")
    price_id = plan_prices.ensure(price.id)
    stripe = gateways.current().stripe
    found = stripe_subscriptions.retrieve(stripe, row.stripe_subscription_id)
    if found is None:
        raise NotFound()
    return standing, plan, stripe_subscriptions.preview_change(stripe, found, price_id, now)


def carry_out(
    person_id: int,
    subscription_id: int,
    kind: str,
    *,
    code: str = "",
    interval: str = "",
    reckoned_at: datetime | None = None,
) -> None:
    """Have the person's subscription changed, canceled or kept. Nothing is done where it is so already.

    Raises NotFound, InvalidInput, Conflict; StripeUnavailable (the order stands, and is gone on with), StripeRefused.
    """
    with transaction():
        standing, now = subscriptions.owned(person_id, subscription_id), clock.now()
        price = None
        if kind == "change":
            price = plans.price_row(
                plans.chosen(code, interval, [standing.subscription.audience]), interval, now
            )
        task = subscription_orders.place(
            subscription_id, kind, now, price=price, reckoned_at=reckoned_at, actor_id=person_id
        )
    if task is not None:
        finish(task)


def finish(task: subscription_orders.Task) -> None:
    """Tell Stripe, and record what came of it. Raises StripeUnavailable (the order stands), StripeRefused."""
    try:
        price_id = plan_prices.ensure(task.plan_price_id) if task.plan_price_id is not None else None
        word = subscription_orders.carry_out(task, price_id)
    except StripeRefused:
        with transaction():
            subscription_orders.record_refusal(task, clock.now())
        raise StripeRefused(subscription_orders.REFUSED[task.kind]) from None
    with transaction():
        subscription_orders.record_done(task, word, clock.now())
