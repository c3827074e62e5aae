"""`/sandbox/payments…`, `/sandbox/payment_methods…`: what banks do later, and how saved cards act from now on."""

from typing import Any

from flask import Blueprint, redirect, render_template, request

from soulseer.sandbox.stripe import bank_payments
from soulseer.sandbox.stripe.cards import read_card
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.payment_methods import set_number
from soulseer.sandbox.stripe.standin import StandIn


def create_payment_switches(stand_in: StandIn) -> Blueprint:
    """GET /sandbox/payments: the payments that wait for a bank; POST …/{intent}/succeed or /fail decides one. POST
    /sandbox/payment_methods/{id}/card with {"card": number}: the saved card acts like that one."""
    switches = Blueprint("control_payments", __name__, url_prefix="/sandbox")

    @switches.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[dict[str, Any], int]:
        return {"error": error.fields}, error.status

    @switches.get("/payments")
    def index() -> str:
        with stand_in.work() as work:
            intents = bank_payments.waiting(work)
        return render_template("sandbox/payments.html", intents=intents)

    @switches.post("/payments/<intent_id>/succeed")
    def succeed(intent_id: str) -> Any:
        return _decide(intent_id, succeeds=True)

    @switches.post("/payments/<intent_id>/fail")
    def fail(intent_id: str) -> Any:
        return _decide(intent_id, succeeds=False)

    def _decide(intent_id: str, *, succeeds: bool) -> Any:
        with stand_in.work() as work:
            intent = bank_payments.settle(work, work.get("payment_intent", intent_id), succeeds=succeeds)
        if request.accept_mimetypes.best == "text/html":
            return redirect("/sandbox/payments", 303)
        return intent

    @switches.post("/payment_methods/<method_id>/card")
    def act_like(method_id: str) -> Any:
        wanted = request.get_json(silent=True)
        card = read_card(str(wanted.get("card", ""))) if isinstance(wanted, dict) else None
        if card is None:
            raise ApiError("card: a card number is expected", param="card")
        with stand_in.work() as work:
            method = work.get("payment_method", method_id)
            set_number(work, method, card.number)
        return method

    return switches
