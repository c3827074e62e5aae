"""Stripe's events about refunds: each is a reason to ask Stripe, and what it says is recorded."""

import re
from datetime import datetime

from soulseer import gateways
from soulseer.gateways import stripe_refunds
from soulseer.gateways.stripe import known
from soulseer.gateways.stripe_refunds import StripeRefund
from soulseer.services import refund_adoption
from soulseer.services.refund_sending import Outcome
from soulseer.services.stripe_events import (
    PROCESSED,
    EventInHand,
    Handler,
    Question,
    Verdict,
    ignored,
    later,
    quarantined,
)

REFUND_TYPES = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
CHARGE_TYPES = ("charge.refunded",)
_REFUND_ID = re.compile(r"(re|pyr)_[A-Za-z0-9_]{1,250}")
_INTENT_ID = re.compile(r"pi_[A-Za-z0-9_]{1,250}")


def examine_refund(event: EventInHand, now: datetime) -> Verdict | Question:
    """Ask about the refund that the event names."""
    refund_id = event.said.get("id")
    if not isinstance(refund_id, str) or not _REFUND_ID.fullmatch(refund_id):
        return quarantined("the event names no refund")
    return Question(refund_id)


def examine_charge(event: EventInHand, now: datetime) -> Verdict | Question:
    """Ask about the refunds of the payment that the charge was for."""
    intent_id = event.said.get("payment_intent")
    if intent_id is None:
        return ignored("a charge without a payment intent is none of ours")
    if not isinstance(intent_id, str) or not _INTENT_ID.fullmatch(intent_id):
        return quarantined("the event names no payment")
    return Question(intent_id)


def ask_refund(question: Question) -> list[StripeRefund] | None:
    """Stripe's word on the refund; None where it knows none. Raises StripeUnavailable, StripeRefused."""
    return known(lambda: [stripe_refunds.retrieve(gateways.current().stripe, question.stripe_id)])


def ask_charge(question: Question) -> list[StripeRefund] | None:
    """Every refund of the payment. Raises StripeUnavailable, StripeRefused."""
    return stripe_refunds.of_payment(gateways.current().stripe, question.stripe_id)


def apply(event: EventInHand, question: Question, words: list[StripeRefund] | None, now: datetime) -> Verdict:
    """Record Stripe's word on each refund."""
    if words is None:
        return quarantined(f"Stripe does not know the refund {question.stripe_id}")
    outcomes = [refund_adoption.record(word, now) for word in words]
    if Outcome.MISMATCH in outcomes:
        # record() has raised the alert.
        return quarantined("a refund is not as it was recorded", alert=False)
    if Outcome.EARLY in outcomes:
        return later("the payment that was refunded is not in the books, or has too little left")
    return PROCESSED


HANDLERS: tuple[Handler, ...] = (
    Handler(REFUND_TYPES, examine_refund, ask_refund, apply),
    Handler(CHARGE_TYPES, examine_charge, ask_charge, apply),
)
