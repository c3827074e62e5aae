"""`/v1/charges`."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work


def register(api: Api) -> None:
    @api.get("/charges/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("charge", identifier)

    @api.get("/charges")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        filters = ("customer", "payment_intent")
        parameters.allow_only(*filters, *LIST_PARAMETERS)
        return list_objects(work, parameters, "charge", "/v1/charges", equal=filters)
