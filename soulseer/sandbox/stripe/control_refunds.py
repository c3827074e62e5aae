"""`/sandbox/refunds…`: what banks do with refunds. Loopback only, no key asked."""

from typing import Any

from flask import Blueprint, request

from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.refunds import fail, settle, switch
from soulseer.sandbox.stripe.standin import StandIn


def create_refund_switches(stand_in: StandIn) -> Blueprint:
    """POST /sandbox/refunds with JSON {"pending": true | false}: whether new refunds are pending at first; then
    /sandbox/refunds/{id}/settle, or /fail with {"reason"}, which also takes back one that went through."""
    switches = Blueprint("control_refunds", __name__, url_prefix="/sandbox/refunds")

    @switches.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[dict[str, Any], int]:
        return {"error": error.fields}, error.status

    @switches.post("")
    def set_switch() -> dict[str, Any]:
        wanted = request.get_json(silent=True)
        if not isinstance(wanted, dict) or not isinstance(wanted.get("pending"), bool):
            raise ApiError("pending: true or false is expected", param="pending")
        with stand_in.work() as work:
            switch(work, pending=wanted["pending"])
        return {"pending": wanted["pending"]}

    @switches.post("/<refund_id>/settle")
    def settle_now(refund_id: str) -> dict[str, Any]:
        with stand_in.work() as work:
            return settle(work, work.get("refund", refund_id))

    @switches.post("/<refund_id>/fail")
    def fail_now(refund_id: str) -> dict[str, Any]:
        wanted = request.get_json(silent=True)
        reason = wanted.get("reason", "unknown") if isinstance(wanted, dict) else "unknown"
        with stand_in.work() as work:
            return fail(work, work.get("refund", refund_id), str(reason))

    return switches
