"""Disputes: opened by a payer's bank, answered with evidence, decided. Amounts in cents."""

from typing import Any

from soulseer.sandbox.stripe.balances import book
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id

FEE = 1500
DAYS_TO_ANSWER = 10
REASONS = (
    "bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated", "debit_not_authorized",
    "duplicate", "fraudulent", "general", "incorrect_account_details", "insufficient_funds", "noncompliant",
    "product_not_received", "product_unacceptable", "subscription_canceled", "unrecognized",
)  # fmt: skip
TEXTS = (
    "access_activity_log", "billing_address", "cancellation_policy_disclosure", "cancellation_rebuttal",
    "customer_email_address", "customer_name", "customer_purchase_ip", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "refund_policy_disclosure", "refund_refusal_explanation",
    "service_date", "shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number",
    "uncategorized_text",
)  # fmt: skip
FILES = (
    "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation",
    "receipt", "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file",
)  # fmt: skip
ANSWERABLE = ("needs_response", "warning_needs_response")
UNDECIDED = ("needs_response", "under_review")
INQUIRIES = ("warning_needs_response", "warning_under_review")


def open_dispute(
    work: Work, charge: Document, *, reason: str, amount: int | None = None, inquiry: bool = False
) -> Document:
    """The payer's bank asks back ``amount`` of the charge (all that was not refunded, by default), or only inquires.

    Raises ApiError where the charge was not paid, or the amount is more than it.
    """
    amount = charge["amount"] - charge["amount_refunded"] if amount is None else amount
    if not charge["paid"] or not 0 < amount <= charge["amount"]:
        raise ApiError(f"amount: from 1 to {charge['amount']} of a paid charge", param="amount")
    if reason not in REASONS:
        raise ApiError(f"reason: one of {', '.join(REASONS)}", param="reason")
    details = charge["payment_method_details"].get("card") or {}
    dispute = work.save(
        {
            "id": new_id("dp"),
            "object": "dispute",
            "amount": amount,
            "balance_transaction": None,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": work.now,
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": dict.fromkeys(sorted((*TEXTS, *FILES)), None),
            "evidence_details": {
                "due_by": work.now + DAYS_TO_ANSWER * 24 * 3600,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": inquiry,
            "livemode": False,
            "metadata": {},
            "network_reason_code": "10.4" if reason == "fraudulent" else None,
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {
                "type": "card",
                "card": {"brand": details.get("brand"), "case_type": "inquiry" if inquiry else "chargeback"},
            },
            "reason": reason,
            "status": "warning_needs_response" if inquiry else "needs_response",
        }
    )
    work.save(work.get("charge", charge["id"]) | {"disputed": True})
    if not inquiry:
        dispute = _move(work, dispute, -amount, FEE)
    work.announce("charge.dispute.created", dispute)
    if not inquiry:
        work.announce("charge.dispute.funds_withdrawn", dispute)
    return dispute


def escalate(work: Work, dispute: Document) -> Document:
    """An inquiry becomes a dispute: now the money goes."""
    _must_be(dispute, *INQUIRIES, "warning_closed")
    dispute = _move(
        work, dispute | {"status": "needs_response", "is_charge_refundable": False}, -dispute["amount"], FEE
    )
    work.announce("charge.dispute.updated", dispute)
    work.announce("charge.dispute.funds_withdrawn", dispute)
    return dispute


def decide(work: Work, dispute: Document, *, won: bool) -> Document:
    """The bank decides; an inquiry is merely closed by either."""
    if dispute["status"] in INQUIRIES:
        dispute = work.save(dispute | {"status": "warning_closed"})
        work.announce("charge.dispute.closed", dispute)
        return dispute
    _must_be(dispute, *UNDECIDED)
    if won:
        dispute = _move(work, dispute | {"status": "won"}, dispute["amount"], 0)
        work.announce("charge.dispute.funds_reinstated", dispute)
    else:
        dispute = work.save(dispute | {"status": "lost"})
    work.announce("charge.dispute.closed", dispute)
    return dispute


def answer(work: Work, dispute: Document, parameters: Parameters) -> Document:
    """POST /v1/disputes/{id}: evidence, kept or (by default) submitted at once. Raises ApiError."""
    parameters.allow_only("evidence", "metadata", "submit", "expand")
    given = parameters.level("evidence")
    evidence: dict[str, Any] = {}
    if given is not None:
        given.allow_only(*TEXTS, *FILES)
        evidence = {name: given.text(name, longest=20_000) for name in TEXTS if name in given}
        for name in FILES:
            identifier = given.text(name)
            if identifier is not None:
                evidence[name] = work.get("file", identifier, param=f"evidence[{name}]", in_path=False)["id"]
        if dispute["status"] not in ANSWERABLE:
            raise ApiError("This dispute is already closed or under review.", executed=True)
    submits = bool(evidence) and parameters.flag("submit") is not False
    details = dispute["evidence_details"]
    dispute = dispute | {
        "evidence": dispute["evidence"] | evidence,
        "evidence_details": details
        | {
            "has_evidence": details["has_evidence"] or bool(evidence),
            "submission_count": details["submission_count"] + submits,
        },
        "metadata": parameters.metadata(dispute["metadata"]),
        "status": dispute["status"].replace("needs_response", "under_review")
        if submits
        else dispute["status"],
    }
    work.save(dispute)
    work.announce("charge.dispute.updated", dispute)
    return dispute


def accept(work: Work, dispute: Document) -> Document:
    """POST /v1/disputes/{id}/close: the merchant gives in. Raises ApiError."""
    if dispute["status"] not in ANSWERABLE:
        raise ApiError("This dispute is already closed or under review.", executed=True)
    return decide(work, dispute, won=False)


def _move(work: Work, dispute: Document, amount: int, fee: int) -> Document:
    """Money withdrawn (negative) or reinstated, listed on the dispute as Stripe does."""
    words = "Chargeback withdrawal for" if amount < 0 else "Chargeback reversal for"
    extra = {"description": f"{words} {dispute['charge']}"}
    if fee:
        extra["fee_details"] = [  # type: ignore[assignment]
            {"amount": fee, "application": None, "currency": dispute["currency"], "description": "Dispute fee",
             "type": "stripe_fee"}
        ]  # fmt: skip
    line = book(work, dispute, kind="adjustment", amount=amount, fee=fee, extra=extra)
    return work.save(
        dispute
        | {
            "balance_transaction": dispute["balance_transaction"] or line["id"],
            "balance_transactions": [*dispute["balance_transactions"], line],
        }
    )


def _must_be(dispute: Document, *statuses: str) -> None:
    if dispute["status"] not in statuses:
        raise ApiError(f"This dispute is {dispute['status']}.", executed=True)
