"""What Stripe says of a subscription, recorded: its state, its plan, its invoices and the money they brought.

Events are hints only: whatever they say, in whatever order, Stripe is asked how things stand and that is written down.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import clock, policies
from soulseer.domain.money import CURRENCY
from soulseer.gateways import stripe_subscriptions
from soulseer.gateways.stripe_subscriptions import StripeInvoice, StripeSubscription
from soulseer.models.payments import StripeCustomer
from soulseer.models.subscriptions import BEGINNING, LIVE, Plan, PlanPrice, Subscription
from soulseer.services import comparing, plans, subscription_invoices, subscription_mails, subscriptions

TOLD_BEFORE_TRIAL_ENDS = timedelta(days=3)
# A renewal is given so long to be told before Stripe is asked.
AFTER_PERIOD, AGAIN, WHEN_LAPSED = timedelta(hours=1), timedelta(hours=1), timedelta(days=1)
# An invoice that is neither paid nor given up: Stripe finalizes within an hour, and then tries for weeks.
WHILE_UNPAID = timedelta(hours=2)


@dataclass(frozen=True)
class Word:
    """Stripe's own word: the subscription, its newest invoices (oldest first), and when it was asked for."""

    subscription: StripeSubscription
    invoices: list[StripeInvoice]
    asked_at: datetime


@dataclass(frozen=True)
class Mirrored:
    """``wrong``: what does not fit and was not recorded; empty where all does."""

    state: str
    wrong: str = ""


def ask(stripe_subscription_id: str) -> Word | None:
    """How things stand at Stripe; None where it knows no such subscription. Call it outside any transaction.

    Raises StripeUnavailable, StripeRefused.
    """
    # The clock is read here, right before the call: of two answers the one that was asked for later counts.
    asked_at, stripe = clock.now(), gateways.current().stripe
    found = stripe_subscriptions.retrieve(stripe, stripe_subscription_id)
    if found is None:
        return None
    return Word(found, stripe_subscriptions.invoices_of(stripe, found.id), asked_at)


def mirror(
    subscription_id: int, word: Word, now: datetime, *, cause: str, actor_id: int | None = None
) -> Mirrored:
    """Bring the row to what Stripe says; book every paid invoice, once. Raises NotFound.

    What disagrees with what we recorded (another customer, an unknown price, another currency, an invoice whose payments
    are not its amount) raises an alert, and nothing of it is believed.
    """
    row = subscriptions.locked(subscription_id)
    priced = plans.price_at_stripe(word.subscription.price_id)
    wrong = _disagreement(row, word.subscription, priced) or _second(row, word.subscription)
    if wrong or priced is None:
        subscriptions.alert(row.id, f"Subscription {row.id}, {word.subscription.id}: {wrong}", now)
        return Mirrored(row.state, wrong)
    price, plan = priced
    row.stripe_subscription_id = word.subscription.id
    if row.mirrored_at is None or word.asked_at >= row.mirrored_at:
        row.mirrored_at = word.asked_at
        _follow(row, word.subscription, price, plan, now, cause, actor_id)
        unpaid = any(invoice.status in ("draft", "open") for invoice in word.invoices)
        row.next_check_at = _next_check(row, now, unpaid=unpaid)
    faults = [
        fault
        for invoice in word.invoices
        if (fault := subscription_invoices.record(row, plan, word.subscription.customer_id, invoice, now))
    ]
    return Mirrored(row.state, "; ".join(faults))


def _follow(
    row: Subscription,
    said: StripeSubscription,
    price: PlanPrice,
    plan: Plan,
    now: datetime,
    cause: str,
    actor_id: int | None,
) -> None:
    if row.state == "canceled":
        # Stripe never takes one up again.
        return
    before, after = row.state, _state_for(row, said, now)
    if row.plan_price_id != price.id:
        row.plan_price_id = price.id
        subscriptions.moved(
            row, row.state, f"plan is {plan.name} by the {price.interval}", now, actor_id=actor_id
        )
    ends = said.cancel_at_period_end and said.status != "canceled"
    if row.cancel_at_period_end != ends:
        row.cancel_at_period_end = ends
        words = "will end with its period" if ends else "goes on after all"
        subscriptions.moved(row, row.state, words, now, actor_id=actor_id)
    row.current_period_end, row.trial_end = said.current_period_end, said.trial_end
    if after == "past_due" and before != "past_due":
        row.grace_until = now + policies.current().subscription_grace
    elif after in ("trialing", "active"):
        row.grace_until = None
    if after == "canceled":
        row.ended_at = said.ended_at or now
    if after != before:
        row.failure = None
        subscriptions.moved(row, after, cause, now, actor_id=actor_id)
    subscription_mails.tell(row, before, plan, price, now)


def _state_for(row: Subscription, said: StripeSubscription, now: datetime) -> str:
    """Our state for Stripe's."""
    if said.status in ("trialing", "active", "canceled"):
        return said.status
    if said.status == "incomplete_expired":
        return "expired" if row.state in BEGINNING else "canceled" if row.state in LIVE else row.state
    if said.status in ("past_due", "unpaid"):
        over = row.state == "lapsed" or (
            row.state == "past_due" and row.grace_until is not None and row.grace_until <= now
        )
        return "lapsed" if over else "past_due"
    # ``incomplete``: the first payment is under way. ``paused``: a trial that ended without a card.
    return row.state if said.status == "incomplete" else "lapsed"


def _next_check(row: Subscription, now: datetime, *, unpaid: bool) -> datetime | None:
    if row.state not in BEGINNING + LIVE:
        return None
    if row.state == "lapsed":
        return now + WHEN_LAPSED
    moments = [now + AGAIN if row.current_period_end is None else row.current_period_end + AFTER_PERIOD]
    if unpaid:
        moments.append(now + WHILE_UNPAID)
    if row.state == "past_due" and row.grace_until is not None:
        moments.append(row.grace_until)
    if row.state == "trialing" and row.trial_end is not None:
        moments.append(row.trial_end - TOLD_BEFORE_TRIAL_ENDS)
    return min((moment for moment in moments if moment > now), default=now + AGAIN)


def _disagreement(row: Subscription, said: StripeSubscription, priced: tuple[PlanPrice, Plan] | None) -> str:
    customer = db.session.scalar(
        select(StripeCustomer.stripe_customer_id).where(StripeCustomer.person_id == row.person_id)
    )
    expected: dict[str, tuple[Any, Any]] = {
        "id": (row.stripe_subscription_id or said.id, said.id),
        "customer": (customer, said.customer_id),
        "reference": (subscriptions.reference(row), said.metadata.get("reference")),
        "currency": (CURRENCY, said.currency),
        "livemode": (gateways.current().stripe.livemode, said.livemode),
        "audience of the price": (row.audience, None if priced is None else priced[1].audience),
    }
    return "; ".join(comparing.differing(expected))


def _second(row: Subscription, said: StripeSubscription) -> str:
    """Whether the person has another one that is live: then this one would be paid beside it."""
    if row.state in BEGINNING + LIVE or row.state == "canceled" or said.status == "canceled":
        return ""
    other = subscriptions.under_way(row.person_id, row.audience)
    return "" if other is None else f"the person has subscription {other.id} as well"
