"""`/v1/subscriptions`."""

from typing import Any

from soulseer.sandbox.stripe import store, subscriptions
from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, as_list
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.recurring import clock_of, now_of
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work

_STATUSES = ("active", "all", "canceled", "past_due", "trialing", "unpaid")


def register(api: Api) -> None:
    @api.get("/subscriptions/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("subscription", identifier)

    @api.post("/subscriptions/<identifier>")
    def update(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only(
            "items", "proration_behavior", "proration_date", "payment_behavior", "cancel_at_period_end", "metadata", "expand"
        )  # fmt: skip
        subscription = work.get("subscription", identifier)
        if subscription["status"] == "canceled":
            raise ApiError("A canceled subscription can only update its cancellation_details and metadata.")
        before = repr(subscription)
        cancel = parameters.flag("cancel_at_period_end")
        if cancel is not None:
            subscriptions.set_cancel(work, subscription, cancel)
        subscription["metadata"] = parameters.metadata(subscription["metadata"])
        price = wanted_price(work, subscription, parameters.levels("items"))
        if price is not None and price["id"] != subscription["items"]["data"][0]["price"]["id"]:
            behavior = parameters.choice(
                "proration_behavior", ("always_invoice", "none", "create_prorations")
            )
            if behavior != "always_invoice":
                raise ApiError(
                    "The sandbox knows proration_behavior=always_invoice.", param="proration_behavior"
                )
            must = parameters.choice("payment_behavior", ("allow_incomplete", "error_if_incomplete"))
            at = reckoned_at(work, subscription, parameters)
            subscriptions.change_price(
                work, subscription, price, at, must_be_paid=must == "error_if_incomplete"
            )
        if repr(subscription) != before:
            work.save(subscription)
            work.announce("customer.subscription.updated", subscription)
        return subscription

    @api.delete("/subscriptions/<identifier>")
    def cancel_now(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return subscriptions.cancel(work, work.get("subscription", identifier))

    @api.get("/subscriptions")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("customer", "status", *LIST_PARAMETERS)
        status, customer = parameters.choice("status", _STATUSES), parameters.text("customer")
        one_of = None
        if status is None:
            one_of = {"status": ["trialing", "active", "past_due", "unpaid"]}
        elif status != "all":
            one_of = {"status": [status]}
        documents, more = store.page(
            work.connection,
            "subscription",
            limit=parameters.whole("limit", least=1, most=100) or 10,
            after=parameters.text("starting_after"),
            equal={"customer": customer} if customer else {},
            one_of=one_of,
        )
        return as_list(documents, "/v1/subscriptions", has_more=more)


def reckoned_at(work: Work, subscription: Document, parameters: Parameters) -> int:
    """`proration_date` by the subscription's own clock; its present second where none is given."""
    given = parameters.whole("proration_date")
    return (
        now_of(work, subscription) if given is None else given + int(clock_of(work, subscription)["offset"])
    )


def wanted_price(work: Work, subscription: Document, items: list[Parameters]) -> Document | None:
    """The price that `items` moves the subscription's only item to; None where it names none."""
    if not items:
        return None
    items[0].allow_only("id", "price", "quantity")
    own = subscription["items"]["data"][0]["id"]
    if len(items) != 1 or items[0].text("id") != own:
        raise ApiError("The sandbox's subscriptions have one item: name it by its id.", param="items")
    price = work.get("price", items[0].required_text("price"), param="items[0][price]", in_path=False)
    if not price["active"]:
        raise ApiError(f"The price specified is inactive: {price['id']}", param="items[0][price]")
    return price
