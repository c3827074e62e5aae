"""Stripe's refunds. Amounts are whole cents, currencies upper case."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from soulseer.gateways.stripe import StripeGateway

PAGE = 100
# https://docs.stripe.com/api/refunds/object: what is not over yet.
UNDECIDED = ("pending", "requires_action")


@dataclass(frozen=True)
class StripeRefund:
    """Stripe's word on a refund. ``status``: pending, requires_action, succeeded, failed, canceled."""

    id: str
    status: str
    amount_cents: int
    currency: str
    payment_intent_id: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    failure_reason: str | None = None


def create(
    stripe: StripeGateway,
    payment_intent_id: str,
    amount_cents: int,
    metadata: Mapping[str, str],
    idempotency_key: str,
) -> StripeRefund:
    """Give back part of a payment, or get what was given under this key.

    Raises StripeUnavailable (retry with the same key) or StripeRefused.
    """
    parameters: Any = {
        "payment_intent": payment_intent_id,
        "amount": amount_cents,
        "reason": "requested_by_customer",
        "metadata": dict(metadata),
    }
    return _refund(
        stripe.call(lambda client: client.v1.refunds.create(parameters, {"idempotency_key": idempotency_key}))
    )


def retrieve(stripe: StripeGateway, refund_id: str) -> StripeRefund:
    """What Stripe says of a refund now. Raises StripeUnavailable, or StripeRefused (``missing``)."""
    return _refund(stripe.call(lambda client: client.v1.refunds.retrieve(refund_id)))


def of_payment(stripe: StripeGateway, payment_intent_id: str) -> list[StripeRefund]:
    """Every refund of a payment, oldest first, whoever made it. Raises StripeUnavailable, StripeRefused."""
    found: list[StripeRefund] = []
    page = _page(stripe, payment_intent_id)
    while True:
        found += [_refund(body) for body in page["data"]]
        if not page["has_more"]:
            return found[::-1]
        page = _page(stripe, payment_intent_id, after=page["data"][-1]["id"])


def _page(stripe: StripeGateway, payment_intent_id: str, after: str | None = None) -> dict[str, Any]:
    wanted: Any = {"payment_intent": payment_intent_id, "limit": PAGE}
    if after is not None:
        wanted["starting_after"] = after
    return stripe.call(lambda client: client.v1.refunds.list(wanted))


def _refund(body: Mapping[str, Any]) -> StripeRefund:
    intent = body.get("payment_intent")
    return StripeRefund(
        id=body["id"],
        status=body.get("status") or "",
        amount_cents=body["amount"],
        currency=(body.get("currency") or "").upper(),
        payment_intent_id=intent.get("id") if isinstance(intent, Mapping) else intent,
        metadata=body.get("metadata") or {},
        failure_reason=body.get("failure_reason"),
    )
