"""`/v1/billing_portal/sessions`."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work, new_id


def register(api: Api) -> None:
    @api.post("/billing_portal/sessions")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("customer", "return_url", "locale", "expand")
        customer = work.get("customer", parameters.required_text("customer"), param="customer", in_path=False)
        identifier = new_id("bps")
        return work.save(
            {
                "id": identifier,
                "object": "billing_portal.session",
                "configuration": "bpc_sandbox",
                "created": work.now,
                "customer": customer["id"],
                "flow": None,
                "livemode": False,
                "locale": None,
                "on_behalf_of": None,
                "return_url": parameters.web_address("return_url"),
                "url": f"{work.settings.base_url}/p/session/{identifier}",
            }
        )
