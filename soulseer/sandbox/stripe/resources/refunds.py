"""`/v1/refunds`."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.refunds import make_refund
from soulseer.sandbox.stripe.work import Work


def register(api: Api) -> None:
    @api.post("/refunds")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("amount", "charge", "payment_intent", "reason", "metadata", "expand")
        return make_refund(work, parameters)

    @api.get("/refunds/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("refund", identifier)

    @api.post("/refunds/<identifier>")
    def update(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only("metadata", "expand")
        refund = work.get("refund", identifier)
        refund["metadata"] = parameters.metadata(refund["metadata"])
        work.save(refund)
        work.announce("refund.updated", refund)
        return refund

    @api.post("/refunds/<identifier>/cancel")
    def cancel(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        refund = work.get("refund", identifier)
        # Only those that wait for the payer's bank details can be, and cards never ask for them.
        raise ApiError(
            f"You cannot cancel a refund with status {refund['status']}: only requires_action.", executed=True
        )

    @api.get("/refunds")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        filters = ("charge", "payment_intent")
        parameters.allow_only(*filters, *LIST_PARAMETERS)
        return list_objects(work, parameters, "refund", "/v1/refunds", equal=filters)
