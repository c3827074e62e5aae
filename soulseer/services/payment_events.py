"""Events about payment intents: those of automatic top-ups; a Checkout session's are told by the session's own events."""

import re
from datetime import datetime
from typing import Any

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.money import to_cents
from soulseer.gateways.stripe import known
from soulseer.gateways.stripe_payments import PaymentIntent, retrieve_payment
from soulseer.models.payments import TopUp
from soulseer.services import comparing, reloads, top_ups
from soulseer.services.stripe_events import (
    PROCESSED,
    EventInHand,
    Handler,
    Question,
    Verdict,
    ignored,
    quarantined,
)
from soulseer.services.top_ups import Outcome

SUCCEEDED = "payment_intent.succeeded"
TYPES = (SUCCEEDED, "payment_intent.payment_failed")
_INTENT_ID = re.compile(r"pi_[A-Za-z0-9_]{1,250}")


def examine(event: EventInHand, now: datetime) -> Verdict | Question:
    """Compare what the event says with what was recorded before the card was charged."""
    metadata = event.said.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("origin") != reloads.ORIGIN:
        return ignored("not an automatic top-up: its Checkout session or invoice has events of its own")
    intent_id = event.said.get("id")
    if not isinstance(intent_id, str) or not _INTENT_ID.fullmatch(intent_id):
        return _set_aside(event, "the event names no payment")
    number = top_ups.number_in(metadata.get("reference"))
    top_up = None if number is None else db.session.get(TopUp, number)
    if top_up is None or top_up.origin != reloads.ORIGIN:
        return _set_aside(event, f"unknown automatic top-up {metadata.get('reference')!r}"[:300])
    recorded: dict[str, tuple[Any, Any]] = {
        "id": (top_up.stripe_payment_intent_id or intent_id, intent_id),
        "amount": (to_cents(top_up.amount), event.said.get("amount")),
        "currency": (top_up.currency.lower(), event.said.get("currency")),
        **{
            f"metadata.{name}": (value, metadata.get(name))
            for name, value in reloads.metadata(top_up).items()
        },
    }
    contradicted = comparing.contradicted(recorded, silence_agrees=False)
    if contradicted:
        return _set_aside(event, "; ".join(contradicted))
    return PROCESSED if top_up.state == "paid" else Question(intent_id, top_up.id)


def ask(question: Question) -> PaymentIntent | None:
    """Stripe's word on the payment; None where it does not know it. Raises StripeUnavailable, StripeRefused."""
    return known(lambda: retrieve_payment(gateways.current().stripe, question.stripe_id))


def apply(event: EventInHand, question: Question, intent: PaymentIntent | None, now: datetime) -> Verdict:
    """Bring the top-up to what Stripe says."""
    if intent is None:
        return _set_aside(event, f"Stripe does not know the payment {question.stripe_id}")
    recorded = reloads.record(question.row_id or 0, intent, now)
    if recorded.outcome is Outcome.MISMATCH:
        # record() has raised the alert.
        return quarantined(recorded.detail, alert=False)
    if event.type == SUCCEEDED and recorded.outcome not in (Outcome.CREDITED, Outcome.ALREADY_CREDITED):
        return _set_aside(event, f"the event says paid, Stripe says {intent.status}")
    return PROCESSED


def _set_aside(event: EventInHand, words: str) -> Verdict:
    return quarantined(words, alert=event.type == SUCCEEDED)


HANDLERS: tuple[Handler, ...] = (Handler(types=TYPES, examine=examine, ask=ask, apply=apply),)
