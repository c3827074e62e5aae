"""Subscriptions, their invoices and the billing portal at Stripe. Amounts are whole cents, currencies upper case, instants UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from soulseer.gateways.stripe import StripeGateway, StripeRefused, known

# Payments are told only to who asks for them.
_EXPANDED = ["data.payments"]


@dataclass(frozen=True)
class SubscriptionOrder:
    """What a Checkout session for a subscription is made of; the same must come again under the same idempotency key."""

    customer_id: str
    price_id: str
    trial_days: int
    reference: str
    metadata: Mapping[str, str]
    success_url: str
    cancel_url: str


@dataclass(frozen=True)
class SubscriptionCheckout:
    """Stripe's word on such a Checkout session. ``status``: open, complete, expired."""

    id: str
    mode: str
    status: str
    reference: str | None
    livemode: bool
    url: str | None
    subscription_id: str | None


@dataclass(frozen=True)
class StripeSubscription:
    """Stripe's word on a subscription. ``status`` is Stripe's own: trialing, active, past_due, unpaid, canceled, …"""

    id: str
    status: str
    customer_id: str
    price_id: str
    item_id: str
    currency: str
    livemode: bool
    cancel_at_period_end: bool
    current_period_end: datetime | None
    trial_end: datetime | None
    ended_at: datetime | None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StripeInvoice:
    """Stripe's word on an invoice. ``payment_intent_id``: of the payment that settled it, where money did."""

    id: str
    subscription_id: str | None
    customer_id: str
    status: str
    number: str | None
    billing_reason: str
    total_cents: int
    amount_due_cents: int
    amount_paid_cents: int
    currency: str
    livemode: bool
    hosted_url: str | None
    issued_at: datetime
    paid_at: datetime | None
    payment_intent_id: str | None
    # What payments brought, as Stripe lists them; None where it lists none.
    payments_cents: int | None


@dataclass(frozen=True)
class Preview:
    """What a change of plan would cost now (``amount_due_cents``), and what it reckons with."""

    amount_due_cents: int
    total_cents: int
    currency: str
    lines: tuple[tuple[str, int], ...]


def create_checkout(
    stripe: StripeGateway, order: SubscriptionOrder, idempotency_key: str
) -> SubscriptionCheckout:
    """Open a Checkout session, or get the one opened under this key. Raises StripeUnavailable, StripeRefused."""
    subscription: dict[str, Any] = {"metadata": dict(order.metadata)}
    if order.trial_days:
        subscription["trial_period_days"] = order.trial_days
    params: Any = {
        "mode": "subscription",
        "customer": order.customer_id,
        "line_items": [{"price": order.price_id, "quantity": 1}],
        "success_url": order.success_url,
        "cancel_url": order.cancel_url,
        "client_reference_id": order.reference,
        "metadata": dict(order.metadata),
        "subscription_data": subscription,
    }
    return _checkout(
        stripe.call(
            lambda client: client.v1.checkout.sessions.create(params, {"idempotency_key": idempotency_key})
        )
    )


def retrieve_checkout(stripe: StripeGateway, checkout_session_id: str) -> SubscriptionCheckout:
    """The Checkout session as it is now. Raises StripeUnavailable, StripeRefused (``missing``)."""
    return _checkout(stripe.call(lambda client: client.v1.checkout.sessions.retrieve(checkout_session_id)))


def expire_checkout(stripe: StripeGateway, checkout_session_id: str) -> SubscriptionCheckout:
    """Close the Checkout session so that nobody can go through it; where it is no longer open, as it is now.

    Raises StripeUnavailable, StripeRefused (``missing``).
    """
    key = {"idempotency_key": f"expire:{checkout_session_id}"}
    try:
        return _checkout(
            stripe.call(lambda client: client.v1.checkout.sessions.expire(checkout_session_id, {}, key))  # type: ignore[arg-type]
        )
    except StripeRefused as error:
        if error.missing:
            raise
        return retrieve_checkout(stripe, checkout_session_id)


def retrieve(stripe: StripeGateway, subscription_id: str) -> StripeSubscription | None:
    """The subscription as it is now, None where Stripe knows none. Raises StripeUnavailable, StripeRefused."""
    return known(
        lambda: _subscription(stripe.call(lambda client: client.v1.subscriptions.retrieve(subscription_id)))
    )


def invoices_of(stripe: StripeGateway, subscription_id: str, *, limit: int = 24) -> list[StripeInvoice]:
    """The newest invoices of a subscription with their payments, oldest first. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"subscription": subscription_id, "limit": limit, "expand": _EXPANDED}
    found = stripe.call(lambda client: client.v1.invoices.list(params))
    return [_invoice(one) for one in reversed(found["data"])]


def change_price(
    stripe: StripeGateway,
    subscription: StripeSubscription,
    price_id: str,
    reckoned_at: datetime,
    idempotency_key: str,
) -> StripeSubscription:
    """Move the subscription to another price: the difference is charged now, or kept as a credit for later invoices.

    Where the charge fails nothing is changed, and Stripe refuses. Raises StripeUnavailable, StripeRefused.
    """
    params: Any = {
        "items": [{"id": subscription.item_id, "price": price_id}],
        "proration_behavior": "always_invoice",
        "payment_behavior": "error_if_incomplete",
        # Who moves to another plan means to stay.
        "cancel_at_period_end": False,
    }
    if subscription.status != "trialing":
        params["proration_date"] = int(reckoned_at.timestamp())
    return _update(stripe, subscription.id, params, idempotency_key)


def preview_change(
    stripe: StripeGateway, subscription: StripeSubscription, price_id: str, reckoned_at: datetime
) -> Preview:
    """What ``change_price`` would charge. Raises StripeUnavailable, StripeRefused."""
    details: dict[str, Any] = {
        "items": [{"id": subscription.item_id, "price": price_id}],
        "proration_behavior": "always_invoice",
    }
    if subscription.status != "trialing":
        details["proration_date"] = int(reckoned_at.timestamp())
    params: Any = {"subscription": subscription.id, "subscription_details": details}
    found = stripe.call(lambda client: client.v1.invoices.create_preview(params))
    return Preview(
        amount_due_cents=found["amount_due"],
        total_cents=found["total"],
        currency=found["currency"].upper(),
        lines=tuple((line.get("description") or "", line["amount"]) for line in found["lines"]["data"]),
    )


def cancel_at_period_end(
    stripe: StripeGateway, subscription_id: str, wanted: bool, idempotency_key: str
) -> StripeSubscription:
    """Have the subscription end with its period, or go on after all. Raises StripeUnavailable, StripeRefused."""
    return _update(stripe, subscription_id, {"cancel_at_period_end": wanted}, idempotency_key)


def cancel_now(stripe: StripeGateway, subscription_id: str, idempotency_key: str) -> StripeSubscription:
    """End the subscription at once: nothing is given back, and what is unpaid is no longer collected.

    Raises StripeUnavailable, StripeRefused (``missing`` also where it was over before).
    """
    return _subscription(
        stripe.call(
            lambda client: client.v1.subscriptions.cancel(
                subscription_id, {}, {"idempotency_key": idempotency_key}
            )
        )
    )


def portal_url(stripe: StripeGateway, customer_id: str, return_url: str) -> str:
    """The address of the customer's billing portal, good for minutes. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"customer": customer_id, "return_url": return_url}
    found = stripe.call(lambda client: client.v1.billing_portal.sessions.create(params))
    return str(found["url"])


def _update(
    stripe: StripeGateway, subscription_id: str, params: Any, idempotency_key: str
) -> StripeSubscription:
    return _subscription(
        stripe.call(
            lambda client: client.v1.subscriptions.update(
                subscription_id, params, {"idempotency_key": idempotency_key}
            )
        )
    )


def _checkout(found: Mapping[str, Any]) -> SubscriptionCheckout:
    return SubscriptionCheckout(
        id=found["id"],
        mode=found["mode"],
        status=found.get("status") or "",
        reference=found.get("client_reference_id"),
        livemode=found["livemode"],
        url=found.get("url"),
        subscription_id=_id(found.get("subscription")),
    )


def _subscription(found: Mapping[str, Any]) -> StripeSubscription:
    item = found["items"]["data"][0]
    return StripeSubscription(
        id=found["id"],
        status=found["status"],
        customer_id=_id(found["customer"]) or "",
        price_id=item["price"]["id"],
        item_id=item["id"],
        currency=found["currency"].upper(),
        livemode=found["livemode"],
        # The portal may set a date instead, where it is told to cancel at the period's end.
        cancel_at_period_end=bool(found["cancel_at_period_end"] or found.get("cancel_at")),
        current_period_end=_instant(item.get("current_period_end")),
        trial_end=_instant(found.get("trial_end")),
        ended_at=_instant(found.get("ended_at")),
        metadata=found.get("metadata") or {},
    )


def _invoice(found: Mapping[str, Any]) -> StripeInvoice:
    details = (found.get("parent") or {}).get("subscription_details") or {}
    payments = [
        payment for payment in (found.get("payments") or {}).get("data", ()) if payment["status"] == "paid"
    ]
    moves = found.get("status_transitions") or {}
    return StripeInvoice(
        id=found["id"],
        subscription_id=_id(details.get("subscription")),
        customer_id=_id(found["customer"]) or "",
        status=found["status"],
        number=found.get("number"),
        billing_reason=found.get("billing_reason") or "",
        total_cents=found["total"],
        amount_due_cents=found["amount_due"],
        amount_paid_cents=found["amount_paid"],
        currency=found["currency"].upper(),
        livemode=found["livemode"],
        hosted_url=found.get("hosted_invoice_url"),
        issued_at=datetime.fromtimestamp(found["created"], UTC),
        paid_at=_instant(moves.get("paid_at")),
        payment_intent_id=next(
            (
                _id(payment["payment"].get("payment_intent"))
                for payment in payments
                if payment.get("amount_paid")
            ),
            None,
        ),
        payments_cents=sum(payment.get("amount_paid") or 0 for payment in payments) if payments else None,
    )


def _id(value: Any) -> str | None:
    """The id of what Stripe gives as an id or whole."""
    return value["id"] if isinstance(value, dict) else value


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
