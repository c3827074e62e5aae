"""`/sandbox/disputes…`: what payers and their banks do. Loopback only, no key asked."""

from typing import Any

from flask import Blueprint, request

from soulseer.sandbox.stripe.disputes import decide, escalate, open_dispute
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work


def create_dispute_switches(stand_in: StandIn) -> Blueprint:
    """POST /sandbox/disputes with JSON {"charge" | "payment_intent" | "checkout_session": id, "reason", "amount" in cents,
    "inquiry"}; then /sandbox/disputes/{id}/win, lose or escalate."""
    switches = Blueprint("control_disputes", __name__, url_prefix="/sandbox/disputes")

    @switches.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[dict[str, Any], int]:
        return {"error": error.fields}, error.status

    @switches.post("")
    def open_now() -> dict[str, Any]:
        wanted = request.get_json(silent=True)
        if not isinstance(wanted, dict):
            raise ApiError("A JSON object is expected.")
        amount = wanted.get("amount")
        if amount is not None and type(amount) is not int:
            raise ApiError("amount: whole cents are expected", param="amount")
        with stand_in.work() as work:
            return open_dispute(
                work,
                _charge(work, wanted),
                reason=str(wanted.get("reason", "fraudulent")),
                amount=amount,
                inquiry=wanted.get("inquiry") is True,
            )

    @switches.post("/<dispute_id>/<any(win, lose, escalate):outcome>")
    def go_on(dispute_id: str, outcome: str) -> dict[str, Any]:
        with stand_in.work() as work:
            dispute = work.get("dispute", dispute_id)
            if outcome == "escalate":
                return escalate(work, dispute)
            return decide(work, dispute, won=outcome == "win")

    return switches


def _charge(work: Work, wanted: dict[str, Any]) -> Document:
    """The charge that is meant, by its own id or by what it paid for."""
    if "charge" in wanted:
        return work.get("charge", str(wanted["charge"]))
    intent_id = wanted.get("payment_intent")
    if "checkout_session" in wanted:
        intent_id = work.get("checkout.session", str(wanted["checkout_session"]))["payment_intent"]
    intent = work.get("payment_intent", str(intent_id))
    return work.get("charge", str(intent["latest_charge"]))
