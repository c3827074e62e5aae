"""`/v1/events`: everything that was announced, delivered or not."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work

_MOST_TYPES = 20


def register(api: Api) -> None:
    @api.get("/events/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return _as_it_stands(work, work.get("event", identifier))

    @api.get("/events")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("type", "types", *LIST_PARAMETERS)
        types = parameters.texts("types")
        if len(types) > _MOST_TYPES or (types and "type" in parameters):
            raise ApiError("Give either type, or types with at most 20 of them.", param="types")
        one_of = {"type": types} if types else None
        answer = list_objects(work, parameters, "event", "/v1/events", equal=("type",), one_of=one_of)
        answer["data"] = [_as_it_stands(work, event) for event in answer["data"]]
        return answer


def _as_it_stands(work: Work, event: dict[str, Any]) -> dict[str, Any]:
    return event | {"pending_webhooks": work.undelivered(event["id"])}
