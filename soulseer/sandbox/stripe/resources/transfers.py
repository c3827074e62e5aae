"""`/v1/transfers` and their reversals."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.connect import reverse, send
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, as_list, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work


def register(api: Api) -> None:
    @api.post("/transfers")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        names = ("amount", "currency", "destination", "transfer_group", "description", "metadata", "expand")
        parameters.allow_only(*names)
        amount = parameters.whole("amount", least=1)
        if amount is None:
            raise ApiError("Missing required param: amount.", code="parameter_missing", param="amount")
        return send(
            work,
            amount=amount,
            currency=parameters.required_text("currency").lower(),
            destination=parameters.required_text("destination"),
            transfer_group=parameters.text("transfer_group"),
            description=parameters.text("description"),
            metadata=parameters.metadata(),
        )

    @api.get("/transfers/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("transfer", identifier)

    @api.get("/transfers")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        filters = ("destination", "transfer_group")
        parameters.allow_only(*filters, *LIST_PARAMETERS)
        return list_objects(work, parameters, "transfer", "/v1/transfers", equal=filters)

    @api.post("/transfers/<identifier>/reversals")
    def take_back(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only("amount", "description", "metadata", "expand")
        transfer = work.get("transfer", identifier)
        return reverse(work, transfer, parameters.whole("amount", least=1), parameters.metadata())

    @api.get("/transfers/<identifier>/reversals")
    def reversals(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only(*LIST_PARAMETERS)
        transfer = work.get("transfer", identifier)
        return as_list(transfer["reversals"]["data"], f"/v1/transfers/{identifier}/reversals")
