"""Cards that customers keep. What a card does when it is charged is decided by its number, which the API never shows."""

from dataclasses import replace
from typing import Any

from soulseer.sandbox.stripe.cards import (
    ASKS_ITS_OWNER,
    AUTHENTICATION_REQUIRED,
    KNOWN_CARDS,
    Card,
    read_card,
)
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id


def keep_card(work: Work, customer_id: str, card: Card) -> Document:
    """A saved card of the customer, announced."""
    method: Document = {
        "id": new_id("pm"), "object": "payment_method", "allow_redisplay": "limited",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "card": {"brand": card.brand, "country": "US", "exp_month": 12, "exp_year": 2034, "funding": "credit", "last4": card.last4},
        "created": work.now, "customer": customer_id, "livemode": False, "metadata": {}, "type": "card",
    }  # fmt: skip
    work.save(method)
    set_number(work, method, card.number)
    work.announce("payment_method.attached", method)
    return method


def set_number(work: Work, method: Document, number: str) -> None:
    """From now on the saved card acts like this one."""
    hidden: dict[str, Any] = {"id": f"{method['id']}:number", "object": "card_number", "created": work.now}
    work.save(hidden | {"number": number})


def card_off_session(work: Work, method: Document) -> Card:
    """The saved card as it acts while its owner is not there."""
    hidden = work.find("card_number", f"{method['id']}:number")
    card = read_card(hidden["number"] if hidden else KNOWN_CARDS[0][0])
    if card is None:
        raise ApiError("The saved card has no readable number.", status=500, type="api_error")
    return replace(card, decline=AUTHENTICATION_REQUIRED) if card.number == ASKS_ITS_OWNER else card


def detach(work: Work, method: Document) -> Document:
    """The customer keeps the card no more; it cannot be charged again."""
    if method["customer"] is None:
        raise ApiError(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            executed=True,
        )
    loose = work.save(method | {"customer": None})
    work.announce("payment_method.detached", loose)
    return loose
