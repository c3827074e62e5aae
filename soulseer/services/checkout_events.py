"""Events about Checkout sessions that pay for a top-up: compared with what was recorded, then Stripe's own word counts."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.money import to_cents
from soulseer.gateways.stripe import CheckoutSession, known
from soulseer.models.payments import TopUp
from soulseer.services import comparing, top_ups
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

EXPIRED = "checkout.session.expired"
TYPES = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    EXPIRED,
)
_CHECKOUT_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}")


def examine(event: EventInHand, now: datetime) -> Verdict | Question:
    """What an event about a Checkout session asks for: compare what it says with what we recorded."""
    checkout_id = event.said.get("id")
    if not isinstance(checkout_id, str) or not _CHECKOUT_ID.fullmatch(checkout_id):
        return _set_aside(event, "the event names no Checkout session")
    top_up = _top_up_for(checkout_id, event.said)
    if top_up is None and event.said.get("mode") == "subscription":
        return ignored("a checkout of a subscription, whose own events tell")
    if top_up is None:
        return _set_aside(event, f"unknown Checkout session {checkout_id}")
    wrong = _contradiction(top_up, checkout_id, event.said)
    if wrong is not None:
        return _set_aside(event, wrong)
    if top_up.state == "paid":
        return PROCESSED
    return Question(checkout_id, top_up.id)


def ask(question: Question) -> CheckoutSession | None:
    """Stripe's word on the Checkout session; None where it does not know it.

    Raises StripeUnavailable, StripeRefused.
    """
    return known(lambda: gateways.current().stripe.retrieve_checkout(question.stripe_id))


def apply(event: EventInHand, question: Question, checkout: CheckoutSession | None, now: datetime) -> Verdict:
    """Bring the top-up to what Stripe says."""
    if checkout is None:
        return _set_aside(event, f"Stripe does not know the Checkout session {question.stripe_id}")
    recorded = top_ups.record(question.row_id or 0, checkout, now)
    if recorded.outcome is Outcome.MISMATCH:
        # record() has raised the alert.
        return quarantined(recorded.detail, alert=False)
    claims_payment = event.said.get("payment_status") == "paid"
    if claims_payment and recorded.outcome not in (Outcome.CREDITED, Outcome.ALREADY_CREDITED):
        return _set_aside(event, f"the event says paid, Stripe says {recorded.detail or recorded.outcome}")
    return PROCESSED


def _set_aside(event: EventInHand, words: str) -> Verdict:
    # Nothing was paid where a session expired.
    return quarantined(words, alert=event.type != EXPIRED)


def _top_up_for(checkout_id: str, said: Mapping[str, Any]) -> TopUp | None:
    """Ours by the id that we recorded; or by our own name for it, where a crash came before we recorded that."""
    found = db.session.scalars(
        select(TopUp).where(TopUp.stripe_checkout_session_id == checkout_id)
    ).one_or_none()
    if found is not None:
        return found
    number = top_ups.number_in(said.get("client_reference_id"))
    return None if number is None else db.session.get(TopUp, number)


def _contradiction(top_up: TopUp, checkout_id: str, said: Mapping[str, Any]) -> str | None:
    """Where the event says other than we recorded; None where it agrees. What it leaves out, Stripe is asked for."""
    metadata = said.get("metadata") or {}
    recorded: dict[str, tuple[Any, Any]] = {
        "id": (top_up.stripe_checkout_session_id or checkout_id, checkout_id),
        "amount_total": (to_cents(top_up.amount), said.get("amount_total")),
        "currency": (top_up.currency.lower(), said.get("currency")),
        "client_reference_id": (top_ups.reference(top_up), said.get("client_reference_id")),
        "metadata.top_up_id": (str(top_up.id), _part(metadata, "top_up_id")),
        "metadata.person_id": (str(top_up.person_id), _part(metadata, "person_id")),
    }
    return "; ".join(comparing.contradicted(recorded, silence_agrees=True)) or None


def _part(metadata: object, name: str) -> object:
    return metadata.get(name) if isinstance(metadata, dict) else "no metadata"


HANDLERS: tuple[Handler, ...] = (Handler(types=TYPES, examine=examine, ask=ask, apply=apply),)
