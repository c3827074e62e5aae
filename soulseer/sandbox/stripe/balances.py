"""Lines on the account's balance: whatever moves money at Stripe leaves one. Amounts in cents."""

from collections.abc import Mapping
from typing import Any

from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id

DAYS_UNTIL_AVAILABLE = 2
_REPORTED_AS = {"charge": "charge", "payment": "charge", "refund": "refund",
                "refund_failure": "refund_failure", "adjustment": "dispute", "transfer": "transfer",
                "transfer_refund": "transfer_reversal", "payout": "payout", "stripe_fee": "fee"}  # fmt: skip


def book(
    work: Work,
    source: Document,
    *,
    kind: str,
    amount: int,
    fee: int = 0,
    extra: Mapping[str, Any] | None = None,
) -> Document:
    """A balance transaction of ``kind`` (Stripe's `type`) for ``source``; ``amount`` is signed, ``fee`` is taken off it.

    The balance changes by `net` = amount − fee. ``extra`` replaces fields.
    """
    details = {"amount": fee, "application": None, "currency": source["currency"], "description": "Stripe processing fees",
               "type": "stripe_fee"}  # fmt: skip
    waits = kind in ("charge", "payment")
    return work.save(
        {
            "id": new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": work.now + (DAYS_UNTIL_AVAILABLE * 24 * 3600 if waits else 0),
            "balance_type": "payments",
            "created": work.now,
            "currency": source["currency"],
            "description": source.get("description"),
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [details] if fee else [],
            "net": amount - fee,
            "reporting_category": _REPORTED_AS[kind],
            "source": source["id"],
            "status": "pending" if waits else "available",
            "type": kind,
            **(extra or {}),
        }
    )
