"""Asks Stripe about subscriptions that are due (a period or a grace is over, a checkout is open, nothing was heard), and does
what was left undone of orders."""

from collections import Counter
from functools import partial
from typing import Any

import structlog

from soulseer.db import transaction
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.jobs import sweeping
from soulseer.jobs.context import ERROR, JobContext
from soulseer.models.subscriptions import BEGINNING, Subscription
from soulseer.services import (
    plan_prices,
    subscription_mirror,
    subscription_orders,
    subscription_returns,
    subscriptions,
)
from soulseer.services.subscription_mirror import Word

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Gives counts of orders and subscriptions by what came of them."""
    if context.dry_run:
        with transaction():
            due = {
                "orders": subscription_orders.due_count(context.now),
                "subscriptions": subscriptions.due_count(context.now),
            }
        return {"dry_run": True, **due}
    counts: Counter[str] = Counter()
    with transaction():
        returned = subscription_returns.to_end(context.now)
    for subscription_id in returned:
        with transaction():
            counts["endings"] += subscription_returns.end(subscription_id, context.now)
    sweeping.each(partial(_next_order, context), counts, prefix="order_")
    sweeping.each(partial(_next_subscription, context), counts)
    return dict(counts)


def _next_order(context: JobContext) -> str | None:
    """Go on with one order that was interrupted; what came of it, None where none is due."""
    with transaction():
        task = subscription_orders.claim_due(context.now)
    if task is None:
        return None

    def carry_out() -> Word | None:
        price_id = plan_prices.ensure(task.plan_price_id) if task.plan_price_id is not None else None
        return subscription_orders.carry_out(task, price_id)

    def done(word: Word | None) -> str:
        subscription_orders.record_done(task, word, context.now)
        return "done"

    def refused(_: StripeRefused) -> str:
        subscription_orders.record_refusal(task, context.now)
        return "refused"

    return sweeping.outcome_of("subscription order", task.order_id, carry_out, done, refused)


def _next_subscription(context: JobContext) -> str | None:
    """Ask Stripe about one subscription; the state it is in then, None where none is due."""
    with transaction():
        due = subscriptions.claim_due(context.now)
    if due is None:
        return None
    try:
        return _begun(due, context) if due.state in BEGINNING else _running(due, context)
    except StripeUnavailable:
        return "unanswered"
    except Exception:
        log.exception("subscription_check_failed", subscription=due.id)
        return ERROR


def _begun(due: Subscription, context: JobContext) -> str:
    """One whose checkout is not through."""
    if due.stripe_checkout_session_id is None:
        # Nobody was ever led to a checkout: nobody can pay one.
        with transaction():
            row = subscriptions.locked(due.id)
            if row.stripe_checkout_session_id is None and row.stripe_subscription_id is None:
                subscriptions.close(row, "failed", subscriptions.NOT_STARTED, context.now)
            return row.state
    try:
        checkout = subscriptions.open_checkout(due, "", "")
    except StripeRefused:
        with transaction():
            row = subscriptions.locked(due.id)
            subscriptions.alert(row.id, f"Stripe does not know {due.stripe_checkout_session_id}", context.now)
            return subscriptions.close(row, "failed", subscriptions.REFUSED, context.now).state
    with transaction():
        row = subscriptions.record_checkout(due.id, checkout, context.now)
    if checkout.subscription_id is None:
        return row.state
    return _ask(row.id, checkout.subscription_id, context)


def _running(due: Subscription, context: JobContext) -> str:
    return _ask(due.id, due.stripe_subscription_id or "", context)


def _ask(subscription_id: int, stripe_id: str, context: JobContext) -> str:
    word = subscription_mirror.ask(stripe_id)
    with transaction():
        if word is None:
            subscriptions.alert(subscription_id, f"Stripe does not know {stripe_id}", context.now)
            return "unknown"
        mirrored = subscription_mirror.mirror(subscription_id, word, context.now, cause="asked by the sweep")
    return "mismatch" if mirrored.wrong else mirrored.state
