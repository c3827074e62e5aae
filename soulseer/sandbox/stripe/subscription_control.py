"""`/sandbox/subscriptions/…`: what time, banks and customers do to a subscription, for trying and for tests."""

from typing import Any

from flask import Blueprint, request

from soulseer.sandbox.stripe import subscriptions
from soulseer.sandbox.stripe.cards import PAYS, REFUSED_LATER
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.payment_methods import keep_card
from soulseer.sandbox.stripe.recurring import DAY, clock_of, now_of
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work

_LONGEST_DAYS = 1500


def create_subscription_switches(stand_in: StandIn) -> Blueprint:
    """Each answers with the subscription as it then is."""
    pages = Blueprint("subscription_control", __name__, url_prefix="/sandbox/subscriptions")

    @pages.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[dict[str, Any], int]:
        return {"error": error.fields}, error.status

    @pages.post("/<identifier>/renew")
    def renew(identifier: str) -> Any:
        """Time goes on to the end of the present period."""
        with stand_in.work() as work:
            subscription = work.get("subscription", identifier)
            until = subscription["items"]["data"][0]["current_period_end"]
            return subscriptions.advance(work, subscription, until)

    @pages.post("/<identifier>/forward")
    def forward(identifier: str) -> Any:
        """Time goes on by so many days: `{"days": 8}`."""
        wanted = request.get_json(silent=True) or {}
        days = wanted.get("days") if isinstance(wanted, dict) else None
        if isinstance(days, bool) or not isinstance(days, int) or not 0 < days <= _LONGEST_DAYS:
            return {"error": {"message": f"days: a whole number from 1 to {_LONGEST_DAYS} is expected"}}, 422
        with stand_in.work() as work:
            subscription = work.get("subscription", identifier)
            return subscriptions.advance(work, subscription, now_of(work, subscription) + days * DAY)

    @pages.post("/<identifier>/fail")
    def fail(identifier: str) -> Any:
        """From now on the card is declined."""
        with stand_in.work() as work:
            subscription = work.get("subscription", identifier)
            clock = clock_of(work, subscription)
            work.save(clock | {"declines": True})
            return subscription

    @pages.post("/<identifier>/card")
    def card(identifier: str) -> Any:
        """The customer has put in another card, which pays; what is unpaid is tried again."""
        with stand_in.work() as work:
            subscription = work.get("subscription", identifier)
            set_card(work, subscription, declines=False)
            subscriptions.retry(work, subscription, now_of(work, subscription))
            return subscription

    return pages


def declines(work: Work, subscription: Document) -> bool:
    """Whether the subscription's card is declined."""
    return bool(clock_of(work, subscription)["declines"])


def set_card(work: Work, subscription: Document, *, declines: bool) -> None:
    """Another card for the subscription and its customer."""
    customer = work.get("customer", subscription["customer"])
    method = keep_card(work, customer["id"], REFUSED_LATER if declines else PAYS)
    settings = customer["invoice_settings"] | {"default_payment_method": method["id"]}
    work.save(customer | {"invoice_settings": settings})
    work.announce("customer.updated", customer | {"invoice_settings": settings})
    subscription["default_payment_method"] = method["id"]
    work.save(subscription)
    work.announce("customer.subscription.updated", subscription)
    work.save(clock_of(work, subscription) | {"declines": declines})
