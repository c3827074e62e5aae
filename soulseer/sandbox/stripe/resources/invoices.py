"""`/v1/invoices`: those of subscriptions."""

from typing import Any

from soulseer.sandbox.stripe import invoices, store, subscriptions
from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, as_list
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.recurring import now_of
from soulseer.sandbox.stripe.resources.subscriptions import reckoned_at, wanted_price
from soulseer.sandbox.stripe.work import Work

_SUBSCRIPTION = "parent.subscription_details.subscription"


def register(api: Api) -> None:
    @api.get("/invoices/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        invoice = work.get("invoice", identifier)
        if any(path.split(".")[0] == "payments" for path in parameters.texts("expand")):
            invoice["payments"] = invoices.payments_of(work, invoice)
        return invoice

    @api.get("/invoices")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("customer", "subscription", "status", *LIST_PARAMETERS)
        filters = {"customer": "customer", "subscription": _SUBSCRIPTION, "status": "status"}
        wanted = {filters[name]: value for name in filters if (value := parameters.text(name)) is not None}
        documents, more = store.page(
            work.connection,
            "invoice",
            limit=parameters.whole("limit", least=1, most=100) or 10,
            after=parameters.text("starting_after"),
            equal=wanted,
        )
        if any(path.startswith("data.payments") for path in parameters.texts("expand")):
            for invoice in documents:
                invoice["payments"] = invoices.payments_of(work, invoice)
        return as_list(documents, "/v1/invoices", has_more=more)

    @api.post("/invoices/create_preview")
    def preview(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("subscription", "subscription_details", "customer", "expand")
        name = parameters.required_text("subscription")
        subscription = work.get("subscription", name, param="subscription", in_path=False)
        details = parameters.level("subscription_details")
        lines: invoices.Lines = []
        if details is not None:
            details.allow_only("items", "proration_behavior", "proration_date")
            price = wanted_price(work, subscription, details.levels("items"))
            if price is not None and price["id"] != subscription["items"]["data"][0]["price"]["id"]:
                at = reckoned_at(work, subscription, details)
                lines = subscriptions.prorated(work, subscription, price, at)
        now = now_of(work, subscription)
        return invoices.draw_up(work, subscription, lines, reason="subscription_update", at=now, saved=False)
