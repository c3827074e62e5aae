"""What the button of a checkout does, whatever the checkout is for."""

from soulseer.sandbox.stripe import payments, subscriptions
from soulseer.sandbox.stripe.cards import Card
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work


def pay(work: Work, session: Document, card: Card, email: str | None = None) -> Document:
    """Try the card on an open session; returns the session as it is now."""
    if session["mode"] == "subscription":
        return subscriptions.begin(work, session, card)
    return payments.pay(work, session, card, email)
