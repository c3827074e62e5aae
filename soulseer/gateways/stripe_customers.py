"""Stripe's customers and their cards. Calls go through the gateway, which translates errors."""

from collections.abc import Mapping
from typing import Any

from soulseer.gateways.stripe import StripeGateway


def create_customer(
    stripe: StripeGateway, email: str | None, metadata: Mapping[str, str], idempotency_key: str
) -> str:
    """The id of a new customer, or of the one that was made under this key.

    Raises StripeUnavailable (retry with the same key) or StripeRefused.
    """
    params: Any = {"metadata": dict(metadata)}
    if email:
        params["email"] = email
    answer = stripe.call(
        lambda client: client.v1.customers.create(params, {"idempotency_key": idempotency_key})
    )
    return str(answer["id"])
