"""Stripe's balance, and the lines that made it. Amounts are whole cents, currencies upper case."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from soulseer.gateways.stripe import StripeGateway

PAGE = 100
# What these are known to the books by, rather than by their own names: a refund is booked before Stripe has named it.
_KNOWN_BY = {"charge": "payment_intent", "refund": "payment_intent", "transfer_reversal": "transfer"}
# Of the source, only what tells whose money it is; the rest holds names and cards that are nothing to the books.
_KEPT = ("object", "status", "payment_intent", "charge", "destination", "transfer", "invoice")


@dataclass(frozen=True)
class BalanceLine:
    """A balance transaction. ``reference``: what the books know its source by (the payment intent of a charge or a
    refund, the transfer of a reversal), else the source, else the line itself. ``source_facts``: what of the source tells whose
    money it is; ``payload`` has the source's id in its place."""

    id: str
    type: str
    amount: int
    fee: int
    net: int
    currency: str
    source: str | None
    reference: str
    source_facts: Mapping[str, Any]
    created: datetime
    available_on: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """Lines newest first; ``more`` says that there are older ones."""

    lines: tuple[BalanceLine, ...]
    more: bool


@dataclass(frozen=True)
class Balance:
    """What Stripe holds of ours in one currency, cents."""

    available: int
    pending: int


def page(stripe: StripeGateway, since: datetime | None, after: str | None, limit: int = PAGE) -> Page:
    """A page of the lines created from ``since`` on (None: ever), older than the line ``after``.

    Raises StripeUnavailable, StripeRefused.
    """
    wanted: Any = {"limit": limit, "expand": ["data.source"]}
    if since is not None:
        wanted["created"] = {"gte": int(since.timestamp())}
    if after is not None:
        wanted["starting_after"] = after
    answer = stripe.call(lambda client: client.v1.balance_transactions.list(wanted))
    return Page(tuple(_line(body) for body in answer["data"]), bool(answer["has_more"]))


def balance(stripe: StripeGateway, currency: str) -> Balance:
    """What Stripe holds now. Raises StripeUnavailable, StripeRefused."""
    answer = stripe.call(lambda client: client.v1.balance.retrieve())

    def total(part: str) -> int:
        return sum(each["amount"] for each in answer[part] if each["currency"].upper() == currency)

    return Balance(total("available"), total("pending"))


def _line(body: Mapping[str, Any]) -> BalanceLine:
    source = body.get("source")
    whole: Mapping[str, Any] = source if isinstance(source, Mapping) else {}
    source_id = whole.get("id") if whole else source
    known_by = whole.get(_KNOWN_BY.get(whole.get("object", ""), ""))
    return BalanceLine(
        id=body["id"],
        type=body["type"],
        amount=body["amount"],
        fee=body["fee"],
        net=body["net"],
        currency=body["currency"].upper(),
        source=source_id,
        reference=(known_by if isinstance(known_by, str) else None) or source_id or body["id"],
        source_facts={name: whole[name] for name in _KEPT if isinstance(whole.get(name), str)}
        | {"metadata": dict(whole.get("metadata") or {})},
        created=datetime.fromtimestamp(body["created"], UTC),
        available_on=datetime.fromtimestamp(body["available_on"], UTC),
        payload={**body, "source": source_id},
    )
