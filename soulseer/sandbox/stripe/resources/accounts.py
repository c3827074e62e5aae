"""`/v1/accounts` and `/v1/account_links`."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.connect import new_account
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work, new_id

LINK_SECONDS = 300


def register(api: Api) -> None:
    @api.post("/accounts")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        names = (
            "type",
            "country",
            "email",
            "capabilities",
            "business_type",
            "business_profile",
            "metadata",
            "expand",
        )
        parameters.allow_only(*names)
        if parameters.choice("type", ("express", "standard", "custom")) != "express":
            raise ApiError("The sandbox serves Express accounts only.", param="type")
        capabilities = parameters.level("capabilities")
        transfers = capabilities.level("transfers") if capabilities else None
        if transfers is None or not transfers.flag("requested"):
            raise ApiError(
                "You must request the `transfers` capability for this account.", param="capabilities"
            )
        return new_account(
            work,
            email=parameters.text("email"),
            country=parameters.text("country") or "US",
            metadata=parameters.metadata(),
        )

    @api.get("/accounts/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("account", identifier)

    @api.get("/accounts")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only(*LIST_PARAMETERS)
        return list_objects(work, parameters, "account", "/v1/accounts")

    @api.post("/account_links")
    def link(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("account", "refresh_url", "return_url", "type", "collection_options", "expand")
        account = work.get("account", parameters.required_text("account"), param="account", in_path=False)
        kind = parameters.choice("type", ("account_onboarding", "account_update"))
        addresses = {name: parameters.web_address(name) for name in ("refresh_url", "return_url")}
        missing = [name for name, value in {**addresses, "type": kind}.items() if value is None]
        if missing:
            raise ApiError(
                f"Missing required param: {missing[0]}.", code="parameter_missing", param=missing[0]
            )
        identifier = new_id("alnk")
        # What the page needs to know; the API's own object has no id.
        work.save(
            {"id": identifier, "object": "sandbox.account_link", "created": work.now, "account": account["id"],
             "used": False, **addresses}
        )  # fmt: skip
        return {
            "object": "account_link",
            "created": work.now,
            "expires_at": work.now + LINK_SECONDS,
            "url": f"{work.settings.base_url}/c/connect/{identifier}",
        }
