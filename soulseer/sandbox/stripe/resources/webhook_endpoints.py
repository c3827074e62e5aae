"""`/v1/webhook_endpoints`. The sandbox's courier delivers to the product's own address, whatever is registered here."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work, new_id


def register(api: Api) -> None:
    @api.post("/webhook_endpoints")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("url", "enabled_events", "description", "metadata", "api_version", "expand")
        url, types = parameters.web_address("url"), parameters.texts("enabled_events")
        if url is None or not types:
            name = "url" if url is None else "enabled_events"
            raise ApiError(f"Missing required param: {name}.", code="parameter_missing", param=name)
        endpoint = {
            "id": new_id("we"), "object": "webhook_endpoint", "api_version": None, "application": None, "created": work.now,
            "description": parameters.text("description"), "enabled_events": types, "livemode": False,
            "metadata": parameters.metadata(), "status": "enabled", "url": url,
        }  # fmt: skip
        work.save(endpoint)
        ours = url == work.settings.webhook_url
        # Told this once; the courier signs with the sandbox's own.
        return endpoint | {"secret": work.settings.webhook_secret if ours else new_id("whsec", 32)}

    @api.get("/webhook_endpoints/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("webhook_endpoint", identifier)

    @api.post("/webhook_endpoints/<identifier>")
    def update(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only("url", "enabled_events", "description", "metadata", "disabled", "expand")
        endpoint = work.get("webhook_endpoint", identifier)
        disabled = parameters.flag("disabled")
        endpoint |= {
            "enabled_events": parameters.texts("enabled_events") or endpoint["enabled_events"],
            "metadata": parameters.metadata(endpoint["metadata"]),
            "status": endpoint["status"] if disabled is None else "disabled" if disabled else "enabled",
        }
        return work.save(endpoint)

    @api.get("/webhook_endpoints")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only(*LIST_PARAMETERS)
        return list_objects(work, parameters, "webhook_endpoint", "/v1/webhook_endpoints")
