"""Refunds: made of a charge, pending or through at once, and sent back by the payer's bank later. Amounts in cents."""

from typing import Any

from soulseer.sandbox.stripe.balances import book
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
FAILURE_REASONS = (
    "charge_for_pending_refund_disputed", "declined", "expired_or_canceled_card", "insufficient_funds",
    "lost_or_stolen_card", "merchant_request", "unknown",
)  # fmt: skip
# A row of the stand-in's own: how refunds behave from now on.
_SWITCH = "refund_switch"


def make_refund(work: Work, parameters: Parameters) -> Document:
    """Give back `amount` (all that is left, by default) of a charge, named itself or by its payment intent.

    Raises ApiError where the charge was not paid, is disputed, or has less left.
    """
    charge = _charge(work, parameters)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if not charge["paid"]:
        raise ApiError(f"Charge {charge['id']} was not paid and cannot be refunded.", executed=True)
    if charge["disputed"]:
        raise ApiError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            executed=True,
        )
    if left == 0:
        raise ApiError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", executed=True
        )
    amount = parameters.whole("amount", least=1) or left
    if amount > left:
        raise ApiError(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge (${left / 100:.2f})",
            param="amount",
            executed=True,
        )
    refund = _new_refund(work, charge, amount, parameters)
    line = book(work, refund, kind="refund", amount=-amount)
    refund["balance_transaction"] = line["id"]
    work.save(refund)
    _give_back(work, charge, amount)
    work.announce("refund.created", refund)
    work.announce("charge.refunded", work.get("charge", charge["id"]))
    return refund


def _charge(work: Work, parameters: Parameters) -> Document:
    charge_id = parameters.text("charge")
    if charge_id is not None:
        return work.get("charge", charge_id, param="charge", in_path=False)
    intent_id = parameters.required_text("payment_intent")
    intent = work.get("payment_intent", intent_id, param="payment_intent", in_path=False)
    if intent["status"] != "succeeded":
        raise ApiError(
            f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
            executed=True,
        )
    return work.get("charge", intent["latest_charge"])


def _new_refund(work: Work, charge: Document, amount: int, parameters: Parameters) -> Document:
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": work.now,
        "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "reference_type": "acquirer_reference_number",
                                         "type": "refund"}, "type": "card"},
        "metadata": parameters.metadata(),
        "payment_intent": charge["payment_intent"],
        "reason": parameters.choice("reason", REASONS),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if are_pending(work) else "succeeded",
        "transfer_reversal": None,
    }  # fmt: skip


def _give_back(work: Work, charge: Document, amount: int) -> None:
    """Note on the charge that ``amount`` more was refunded; less, where it is negative."""
    refunded = charge["amount_refunded"] + amount
    work.save(charge | {"amount_refunded": refunded, "refunded": refunded == charge["amount_captured"]})


def settle(work: Work, refund: Document) -> Document:
    """A pending refund goes through. Raises ApiError for one that is not pending."""
    if refund["status"] != "pending":
        raise ApiError(f"This refund is {refund['status']}, not pending.", status=409)
    return _changed(work, refund | {"status": "succeeded"})


def fail(work: Work, refund: Document, reason: str) -> Document:
    """The payer's bank sends the money back: it is on the account's balance again, and the charge has it left.

    Raises ApiError for a refund that is over, or an unknown reason.
    """
    if refund["status"] not in ("pending", "succeeded"):
        raise ApiError(f"This refund is {refund['status']} already.", status=409)
    if reason not in FAILURE_REASONS:
        raise ApiError(f"reason: one of {', '.join(FAILURE_REASONS)}", param="reason")
    line = book(work, refund, kind="refund_failure", amount=refund["amount"])
    _give_back(work, work.get("charge", refund["charge"]), -refund["amount"])
    failed = refund | {
        "status": "failed",
        "failure_balance_transaction": line["id"],
        "failure_reason": reason,
    }
    _changed(work, failed)
    work.announce("refund.failed", failed)
    return failed


def _changed(work: Work, refund: Document) -> Document:
    work.save(refund)
    work.announce("refund.updated", refund)
    work.announce("charge.refund.updated", refund)
    return refund


def are_pending(work: Work) -> bool:
    """Whether a new refund is pending at first."""
    found: Any = work.find(_SWITCH, _SWITCH)
    return bool(found and found["pending"])


def switch(work: Work, *, pending: bool) -> None:
    """Have refunds be pending at first from now on, or through at once."""
    work.save({"id": _SWITCH, "object": _SWITCH, "created": work.now, "pending": pending})
