"""Stripe Connect: readers' Express accounts, the pages where they tell who they are, transfers to them.

Amounts are whole cents, currencies upper case (https://docs.stripe.com/connect/separate-charges-and-transfers).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stripe import StripeError

from soulseer.gateways.stripe import StripeGateway, StripeRefused

# The platform's balance does not cover the transfer: nothing that the reader could mend.
NO_FUNDS = "balance_insufficient"


@dataclass(frozen=True)
class ConnectedAccount:
    """Stripe's word on a reader's account. The tuples are codes of requirements; ``transfers_enabled``: money may be
    sent to it, ``payouts_enabled``: it may send money to its bank."""

    id: str
    details_submitted: bool
    transfers_enabled: bool
    payouts_enabled: bool
    disabled_reason: str | None
    currently_due: tuple[str, ...] = ()
    past_due: tuple[str, ...] = ()
    pending_verification: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TransferOrder:
    """What a transfer is made of. The same order must come again under the same idempotency key."""

    amount_cents: int
    currency: str
    destination: str
    group: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Transfer:
    """Stripe's word on a transfer; ``reversed_cents`` of it came back."""

    id: str
    amount_cents: int
    reversed_cents: int
    currency: str
    destination: str
    group: str | None
    livemode: bool
    metadata: Mapping[str, str] = field(default_factory=dict)


def create_account(
    stripe: StripeGateway, email: str | None, metadata: Mapping[str, str], idempotency_key: str
) -> ConnectedAccount:
    """Open an Express account, or get the one that was opened under this key.

    Raises StripeUnavailable (retry with the same key) or StripeRefused.
    """
    params: Any = {
        "type": "express",
        "capabilities": {"transfers": {"requested": True}},
        "metadata": dict(metadata),
    }
    if email:
        params["email"] = email
    return _account(
        stripe.call(lambda client: client.v1.accounts.create(params, {"idempotency_key": idempotency_key}))
    )


def retrieve_account(stripe: StripeGateway, account_id: str) -> ConnectedAccount:
    """What Stripe says of an account now. Raises StripeUnavailable, or StripeRefused (``missing``)."""
    return _account(stripe.call(lambda client: client.v1.accounts.retrieve(account_id)))


def onboarding_link(stripe: StripeGateway, account_id: str, *, return_url: str, refresh_url: str) -> str:
    """The address of a page at Stripe where the account's owner tells what is missing; good once, for minutes.

    Raises StripeUnavailable, StripeRefused.
    """
    params: Any = {
        "account": account_id,
        "type": "account_onboarding",
        "return_url": return_url,
        "refresh_url": refresh_url,
    }
    return str(stripe.call(lambda client: client.v1.account_links.create(params))["url"])


def create_transfer(stripe: StripeGateway, order: TransferOrder, idempotency_key: str) -> Transfer:
    """Send money to an account, or get the transfer that was made under this key.

    Raises StripeUnavailable (retry with the same key) or StripeRefused (``refusal_code`` tells why).
    """
    params: Any = {
        "amount": order.amount_cents,
        "currency": order.currency.lower(),
        "destination": order.destination,
        "transfer_group": order.group,
        "description": "SoulSeer payout",
        "metadata": dict(order.metadata),
    }
    return _transfer(
        stripe.call(lambda client: client.v1.transfers.create(params, {"idempotency_key": idempotency_key}))
    )


def retrieve_transfer(stripe: StripeGateway, transfer_id: str) -> Transfer:
    """What Stripe says of a transfer now. Raises StripeUnavailable, or StripeRefused (``missing``)."""
    return _transfer(stripe.call(lambda client: client.v1.transfers.retrieve(transfer_id)))


def find_transfer(stripe: StripeGateway, group: str, destination: str) -> Transfer | None:
    """The transfer of a group to an account; None where there is none. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"transfer_group": group, "destination": destination, "limit": 1}
    found = stripe.call(lambda client: client.v1.transfers.list(params))["data"]
    return _transfer(found[0]) if found else None


def refusal_code(refused: StripeRefused) -> str | None:
    """Stripe's own code of why it refused; None where it gave none."""
    return refused.__cause__.code if isinstance(refused.__cause__, StripeError) else None


def _account(body: Mapping[str, Any]) -> ConnectedAccount:
    requirements = body.get("requirements") or {}
    return ConnectedAccount(
        id=body["id"],
        details_submitted=bool(body.get("details_submitted")),
        transfers_enabled=(body.get("capabilities") or {}).get("transfers") == "active",
        payouts_enabled=bool(body.get("payouts_enabled")),
        disabled_reason=requirements.get("disabled_reason"),
        currently_due=tuple(requirements.get("currently_due") or ()),
        past_due=tuple(requirements.get("past_due") or ()),
        pending_verification=tuple(requirements.get("pending_verification") or ()),
        metadata=body.get("metadata") or {},
    )


def _transfer(body: Mapping[str, Any]) -> Transfer:
    return Transfer(
        id=body["id"],
        amount_cents=body["amount"],
        reversed_cents=body.get("amount_reversed") or 0,
        currency=(body.get("currency") or "").upper(),
        destination=body.get("destination") or "",
        group=body.get("transfer_group"),
        livemode=body["livemode"],
        metadata=body.get("metadata") or {},
    )
