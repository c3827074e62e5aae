"""Disputes at Stripe: what it says of one, and the answers that are given to the bank through it. Whole cents."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from soulseer.gateways.stripe import StripeGateway, known


@dataclass(frozen=True)
class StripeDispute:
    """Stripe's word on a dispute now. ``withdrawn`` and ``reinstated`` are cents that went to the bank and came back,
    ``fee`` what Stripe charged for it. ``metadata`` is that of the payment."""

    id: str
    status: str
    reason: str
    amount_cents: int
    currency: str
    livemode: bool
    opened_at: datetime
    charge_id: str | None = None
    payment_intent_id: str | None = None
    customer_id: str | None = None
    evidence_due_at: datetime | None = None
    has_evidence: bool = False
    submissions: int = 0
    withdrawn_cents: int = 0
    reinstated_cents: int = 0
    fee_cents: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)


def retrieve(stripe: StripeGateway, dispute_id: str) -> StripeDispute | None:
    """What Stripe says of a dispute now; None where it knows no such one. Raises StripeUnavailable, StripeRefused."""
    params: Any = {"expand": ["charge", "payment_intent"]}
    return known(
        lambda: _dispute(stripe.call(lambda client: client.v1.disputes.retrieve(dispute_id, params)))
    )


def upload_pack(stripe: StripeGateway, content: bytes, name: str, idempotency_key: str) -> str:
    """Hand over a PDF as evidence: its id at Stripe. Raises StripeUnavailable (same key again), StripeRefused."""
    document = io.BytesIO(content)
    # The SDK sends a file under the name that its object bears.
    document.name = name
    params: Any = {"purpose": "dispute_evidence", "file": document}
    answer = stripe.call(lambda client: client.v1.files.create(params, {"idempotency_key": idempotency_key}))
    return str(answer["id"])


def submit_evidence(
    stripe: StripeGateway, dispute_id: str, evidence: Mapping[str, str], idempotency_key: str
) -> None:
    """Answer the bank; it cannot be taken back. Raises StripeUnavailable (same key again), StripeRefused."""
    params: Any = {"evidence": dict(evidence), "submit": True}
    stripe.call(
        lambda client: client.v1.disputes.update(dispute_id, params, {"idempotency_key": idempotency_key})
    )


def accept(stripe: StripeGateway, dispute_id: str, idempotency_key: str) -> None:
    """Give in: the dispute is lost. Raises StripeUnavailable (same key again), StripeRefused."""
    stripe.call(lambda client: client.v1.disputes.close(dispute_id, {}, {"idempotency_key": idempotency_key}))


def _dispute(body: Mapping[str, Any]) -> StripeDispute:
    details = body.get("evidence_details") or {}
    lines = body.get("balance_transactions") or []
    charge, intent = _expanded(body.get("charge")), _expanded(body.get("payment_intent"))
    due = details.get("due_by")
    return StripeDispute(
        id=body["id"],
        status=body["status"],
        reason=body.get("reason") or "general",
        amount_cents=body["amount"],
        currency=(body.get("currency") or "").upper(),
        livemode=body["livemode"],
        opened_at=datetime.fromtimestamp(body["created"], UTC),
        charge_id=charge.get("id"),
        payment_intent_id=intent.get("id"),
        customer_id=_expanded(charge.get("customer") or intent.get("customer")).get("id"),
        evidence_due_at=datetime.fromtimestamp(due, UTC) if due else None,
        has_evidence=bool(details.get("has_evidence")),
        submissions=details.get("submission_count") or 0,
        withdrawn_cents=-sum(line["amount"] for line in lines if line["amount"] < 0),
        reinstated_cents=sum(line["amount"] for line in lines if line["amount"] > 0),
        fee_cents=max(0, sum(line.get("fee") or 0 for line in lines)),
        metadata={**(intent.get("metadata") or {}), **(charge.get("metadata") or {})},
    )


def _expanded(part: Any) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {"id": part} if part else {}
