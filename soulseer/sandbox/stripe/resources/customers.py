"""`/v1/customers`."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.customers import new_customer
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work

_FIELDS = ("email", "name", "phone", "description")


def register(api: Api) -> None:
    @api.post("/customers")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only(*_FIELDS, "metadata", "expand")
        fields = {name: parameters.text(name) for name in _FIELDS}
        return new_customer(work, metadata=parameters.metadata(), **fields)

    @api.get("/customers/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("customer", identifier)

    @api.post("/customers/<identifier>")
    def update(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only(*_FIELDS, "metadata", "expand")
        customer = work.get("customer", identifier)
        customer |= {name: parameters.text(name) for name in _FIELDS if name in parameters}
        customer["metadata"] = parameters.metadata(customer["metadata"])
        work.save(customer)
        work.announce("customer.updated", customer)
        return customer

    @api.get("/customers")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("email", *LIST_PARAMETERS)
        return list_objects(work, parameters, "customer", "/v1/customers", equal=("email",))
