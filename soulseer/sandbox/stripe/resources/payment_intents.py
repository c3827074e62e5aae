"""`/v1/payment_intents`."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.off_session import create_confirmed
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work


def register(api: Api) -> None:
    @api.post("/payment_intents")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        return create_confirmed(work, parameters)

    @api.get("/payment_intents/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("payment_intent", identifier, param="intent")

    @api.get("/payment_intents")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("customer", *LIST_PARAMETERS)
        return list_objects(work, parameters, "payment_intent", "/v1/payment_intents", equal=("customer",))
