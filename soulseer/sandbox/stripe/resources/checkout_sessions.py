"""`/v1/checkout/sessions`."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.checkout import create_session, current_session, expire, expire_overdue
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.expansion import line_items_of
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work


def register(api: Api) -> None:
    @api.post("/checkout/sessions")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        return create_session(work, parameters)

    @api.get("/checkout/sessions/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return current_session(work, identifier)

    @api.get("/checkout/sessions/<identifier>/line_items")
    def line_items(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return line_items_of(work, current_session(work, identifier)["id"])

    @api.post("/checkout/sessions/<identifier>/expire")
    def expire_now(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        session = current_session(work, identifier)
        if session["status"] != "open":
            raise ApiError(
                'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status'
                f" of {session['status']}.",
                executed=True,
            )
        return expire(work, session)

    @api.get("/checkout/sessions")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        filters = ("customer", "payment_intent", "status")
        parameters.allow_only(*filters, *LIST_PARAMETERS)
        expire_overdue(work)
        return list_objects(work, parameters, "checkout.session", "/v1/checkout/sessions", equal=filters)
