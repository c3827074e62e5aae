"""Stripe's payment intents: a saved card charged while its owner is not there; and cards that are to be forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stripe import CardError

from soulseer.gateways.stripe import Card, StripeGateway, StripeRefused, card_of


@dataclass(frozen=True)
class SavedCardOrder:
    """What a payment is made of. The same order must come again under the same idempotency key."""

    amount_cents: int
    currency: str
    customer: str
    payment_method_id: str
    description: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class PaymentIntent:
    """Stripe's word on a payment. ``status``: succeeded, processing, requires_payment_method, requires_action, canceled;
    ``refusal`` is the code of the last refusal (card_declined, authentication_required, …), None where there was none."""

    id: str
    status: str
    amount_cents: int
    currency: str
    livemode: bool
    metadata: Mapping[str, str] = field(default_factory=dict)
    charge_id: str | None = None
    card: Card | None = None
    refusal: str | None = None


def charge_saved_card(stripe: StripeGateway, order: SavedCardOrder, idempotency_key: str) -> PaymentIntent:
    """Charge the card at once, or get what came of it under this key; a declined card is an answer, not an error.

    Raises StripeUnavailable (retry with the same key), StripeRefused where there is no payment to speak of: the customer
    or the card is not known.
    """
    params: Any = {
        "amount": order.amount_cents,
        "currency": order.currency.lower(),
        "customer": order.customer,
        "payment_method": order.payment_method_id,
        "payment_method_types": ["card"],
        "off_session": True,
        "confirm": True,
        "description": order.description,
        "metadata": dict(order.metadata),
        "expand": ["latest_charge"],
    }
    try:
        answer = stripe.call(
            lambda client: client.v1.payment_intents.create(params, {"idempotency_key": idempotency_key})
        )
    except StripeRefused as refused:
        declined = _declined_intent(refused)
        if declined is None:
            raise
        return _intent(declined)
    return _intent(answer)


def retrieve_payment(stripe: StripeGateway, payment_intent_id: str) -> PaymentIntent:
    """What Stripe says of a payment now. Raises StripeUnavailable, or StripeRefused (``missing``)."""
    return _intent(
        stripe.call(
            lambda client: client.v1.payment_intents.retrieve(
                payment_intent_id, {"expand": ["latest_charge"]}
            )
        )
    )


def detach_card(stripe: StripeGateway, payment_method_id: str) -> None:
    """Have Stripe forget a saved card. Raises StripeUnavailable, StripeRefused: it keeps no such card, or no more."""
    stripe.call(lambda client: client.v1.payment_methods.detach(payment_method_id))


def _declined_intent(refused: StripeRefused) -> dict[str, Any] | None:
    """The payment that a refusal of the card is about: Stripe sends it within the error."""
    cause = refused.__cause__
    if not isinstance(cause, CardError) or not isinstance(cause.json_body, Mapping):
        return None
    found = (cause.json_body.get("error") or {}).get("payment_intent")
    return dict(found) if found else None


def _intent(body: Mapping[str, Any]) -> PaymentIntent:
    charge = body.get("latest_charge") or {}
    if isinstance(charge, str):
        charge = {"id": charge}
    error = body.get("last_payment_error") or {}
    return PaymentIntent(
        id=body["id"],
        status=body["status"],
        amount_cents=body["amount"],
        currency=body["currency"].upper(),
        livemode=body["livemode"],
        metadata=body.get("metadata") or {},
        charge_id=charge.get("id"),
        card=card_of(charge),
        refusal=error.get("decline_code") or error.get("code"),
    )
