"""`/v1/payment_methods`, and a customer's own."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.payment_methods import detach
from soulseer.sandbox.stripe.work import Work


def register(api: Api) -> None:
    @api.get("/payment_methods/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("payment_method", identifier, param="payment_method")

    @api.get("/payment_methods")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        filters = ("customer", "type")
        parameters.allow_only(*filters, *LIST_PARAMETERS)
        return list_objects(work, parameters, "payment_method", "/v1/payment_methods", equal=filters)

    @api.post("/payment_methods/<identifier>/detach")
    def detach_now(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only("expand")
        return detach(work, work.get("payment_method", identifier, param="payment_method"))
