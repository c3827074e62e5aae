"""`/sandbox/accounts…`, `/sandbox/transfers…`: what Stripe's own people and systems do. Loopback only, no key asked."""

from typing import Any

from flask import Blueprint, request

from soulseer.sandbox.stripe.connect import finish_onboarding, require, reverse, set_outcome
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.standin import StandIn


def create_connect_switches(stand_in: StandIn) -> Blueprint:
    """POST /sandbox/accounts/{id}/onboard; …/require {"currently_due": [], "past_due": [], "disabled_reason": null};
    /sandbox/transfers/{id}/reverse {"amount": cents}; /sandbox/transfers {"outcome": "refuse"}."""
    switches = Blueprint("control_connect", __name__, url_prefix="/sandbox")

    @switches.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[dict[str, Any], int]:
        return {"error": error.fields}, error.status

    @switches.post("/accounts/<account_id>/onboard")
    def onboard(account_id: str) -> dict[str, Any]:
        with stand_in.work() as work:
            return finish_onboarding(work, work.get("account", account_id))

    @switches.post("/accounts/<account_id>/require")
    def require_now(account_id: str) -> dict[str, Any]:
        wanted = _body()
        with stand_in.work() as work:
            return require(
                work,
                work.get("account", account_id),
                _codes(wanted, "currently_due"),
                _codes(wanted, "past_due"),
                wanted.get("disabled_reason"),
            )

    @switches.post("/transfers/<transfer_id>/reverse")
    def reverse_now(transfer_id: str) -> dict[str, Any]:
        amount = _body().get("amount")
        if amount is not None and type(amount) is not int:
            raise ApiError("amount: whole cents are expected", param="amount")
        with stand_in.work() as work:
            return reverse(work, work.get("transfer", transfer_id), amount)

    @switches.post("/transfers")
    def outcome() -> dict[str, Any]:
        with stand_in.work() as work:
            return set_outcome(work, str(_body().get("outcome")))

    return switches


def _body() -> dict[str, Any]:
    wanted = request.get_json(silent=True)
    if wanted is None:
        return {}
    if not isinstance(wanted, dict):
        raise ApiError("A JSON object is expected.")
    return wanted


def _codes(wanted: dict[str, Any], name: str) -> list[str]:
    codes = wanted.get(name, [])
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise ApiError(f"{name}: a list of codes is expected", param=name)
    return codes
