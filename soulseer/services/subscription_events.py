"""Events about subscriptions, their invoices and their customers: hints to ask Stripe how things stand."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from soulseer.db import db
from soulseer.models.payments import StripeCustomer
from soulseer.models.subscriptions import LIVE, Subscription
from soulseer.services import subscription_mirror, subscriptions
from soulseer.services.stripe_events import (
    PROCESSED,
    EventInHand,
    Handler,
    Question,
    Verdict,
    ignored,
    quarantined,
)
from soulseer.services.subscription_mirror import Word

SUBSCRIPTION_TYPES = (
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
)
INVOICE_TYPES = (
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.voided",
)
_PAID = ("invoice.paid", "invoice.payment_succeeded")
_ID = re.compile(r"sub_[A-Za-z0-9_]{1,250}")


def examine_subscription(event: EventInHand, now: datetime) -> Verdict | Question:
    """Whose subscription the event is about."""
    return _question(event, event.said.get("id"), event.said.get("metadata"), money=False)


def examine_invoice(event: EventInHand, now: datetime) -> Verdict | Question:
    """Whose subscription the invoice is about; one of no subscription is none of ours."""
    details = _part(event.said.get("parent"), "subscription_details")
    named = _part(details, "subscription")
    if named is None:
        money = event.type in _PAID and bool(event.said.get("amount_paid"))
        return (
            quarantined("a paid invoice of no subscription")
            if money
            else ignored("an invoice of no subscription")
        )
    return _question(event, named, _part(details, "metadata"), money=event.type in _PAID)


def _question(event: EventInHand, named: object, said: object, *, money: bool) -> Verdict | Question:
    if isinstance(named, dict):
        named = named.get("id")
    if not isinstance(named, str) or not _ID.fullmatch(named):
        return quarantined("the event names no subscription", alert=money)
    row = db.session.scalars(
        select(Subscription).where(Subscription.stripe_subscription_id == named)
    ).one_or_none()
    if row is None:
        # Ours by our own name for it, where this event came before we were told its id.
        name = said.get("reference") if isinstance(said, dict) else None
        number = subscriptions.number_in(name)
        row = None if number is None else db.session.get(Subscription, number)
        if row is None or subscriptions.reference(row) != name:
            return quarantined(f"unknown subscription {named}", alert=True)
        if row.stripe_subscription_id not in (None, named):
            return quarantined(
                f"subscription {row.id} is {row.stripe_subscription_id}, not {named}", alert=True
            )
    return Question(named, row.id)


def _part(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def ask(question: Question) -> Word | None:
    """Stripe's word on the subscription; None where it knows none. Raises StripeUnavailable, StripeRefused."""
    return subscription_mirror.ask(question.stripe_id)


def apply(event: EventInHand, question: Question, word: Word | None, now: datetime) -> Verdict:
    """Record how things stand, whatever the event says of them."""
    if word is None:
        return quarantined(f"Stripe does not know the subscription {question.stripe_id}", alert=True)
    mirrored = subscription_mirror.mirror(question.row_id or 0, word, now, cause=event.type)
    # The mirror has raised the alert.
    return quarantined(mirrored.wrong, alert=False) if mirrored.wrong else PROCESSED


def examine_customer(event: EventInHand, now: datetime) -> Verdict | Question:
    """A customer whose card or address changed: the subscription that waits for a payment may have got it."""
    named = event.said.get("id")
    row = db.session.scalars(
        select(Subscription)
        .join(StripeCustomer, StripeCustomer.person_id == Subscription.person_id)
        .where(
            StripeCustomer.stripe_customer_id == (named if isinstance(named, str) else ""),
            Subscription.state.in_(LIVE),
        )
        # Those that wait for a payment first.
        .order_by(Subscription.state.in_(("past_due", "lapsed")).desc(), Subscription.id)
        .limit(1)
    ).one_or_none()
    if row is None or row.stripe_subscription_id is None:
        return ignored("the customer has no running subscription")
    return Question(row.stripe_subscription_id, row.id)


HANDLERS: tuple[Handler, ...] = (
    Handler(types=SUBSCRIPTION_TYPES, examine=examine_subscription, ask=ask, apply=apply),
    Handler(types=INVOICE_TYPES, examine=examine_invoice, ask=ask, apply=apply),
    Handler(types=("customer.updated",), examine=examine_customer, ask=ask, apply=apply),
)
