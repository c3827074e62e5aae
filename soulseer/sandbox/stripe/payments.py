"""Paying a Checkout session by card: payment intent, charge, balance transaction and their events. Amounts in cents."""

from typing import Any

from soulseer.sandbox.stripe.balances import book
from soulseer.sandbox.stripe.cards import Card
from soulseer.sandbox.stripe.customers import new_customer
from soulseer.sandbox.stripe.payment_methods import keep_card
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id


def processing_fee(amount: int) -> int:
    """Stripe's standard fee in cents: 2.9 %, rounded half up, and 30."""
    return (amount * 29 + 500) // 1000 + 30


def pay(work: Work, session: Document, card: Card, email: str | None = None) -> Document:
    """Try the card on an open session; returns the session as it is now.

    Paid: complete, with a succeeded intent, a charge and its balance transaction. Declined: still open, and the intent
    bears the error in `last_payment_error`.
    """
    intent = intent_for(work, session)
    charge = new_charge(intent, card, email, work.now)
    if card.decline is not None:
        return _decline(work, session, intent, charge, card)
    if session["customer"] and (
        session["payment_method_options"].get("card") or intent["setup_future_usage"]
    ):
        charge["payment_method"] = keep_card(work, session["customer"], card)["id"]
    succeed(work, intent, charge)
    session = complete(work, session, intent, email) | {"payment_status": "paid"}
    work.save(session)
    announce_success(work, intent, charge)
    work.announce("checkout.session.completed", session)
    return session


def succeed(work: Work, intent: Document, charge: Document) -> None:
    """The charge's money is the account's; nothing is announced yet."""
    line = book(work, charge, kind="charge", amount=charge["amount"], fee=processing_fee(charge["amount"]))
    charge["balance_transaction"] = line["id"]
    work.save(charge)
    intent |= {
        "amount_received": intent["amount"],
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
        "status": "succeeded",
    }
    work.save(intent)


def announce_success(work: Work, intent: Document, charge: Document) -> None:
    work.announce("charge.succeeded", charge)
    work.announce("payment_intent.succeeded", intent)


def complete(work: Work, session: Document, intent: Document, email: str | None) -> Document:
    """The session as it is once the buyer is through with it; whether it is paid is said apart."""
    details = session["customer_details"] or {
        "name": None,
        "phone": None,
        "address": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }
    return session | {
        "customer": session["customer"] or _new_customer(work, session, email),
        "customer_details": details | {"email": email or details.get("email")},
        "payment_intent": intent["id"],
        "status": "complete",
        "url": None,
    }


def intent_for(work: Work, session: Document) -> Document:
    """The session's payment intent: made at the first attempt, used again after a decline."""
    if session["payment_intent"]:
        return work.get("payment_intent", session["payment_intent"])
    wanted = work.get("intent_data", f"{session['id']}:intent")
    return new_intent(
        work,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=session["customer"],
        methods=session["payment_method_types"],
        wanted=wanted,
    )


def new_intent(
    work: Work, *, amount: int, currency: str, customer: str | None, methods: list[str], wanted: Document
) -> Document:
    """A payment intent that waits for a payment method; ``wanted`` has its description, metadata and the like."""
    identifier = new_id("pi")
    intent: Document = {
        "id": identifier,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_secret_{new_id('s')[2:]}",
        "confirmation_method": "automatic",
        "created": work.now,
        "currency": currency,
        "customer": customer,
        "description": wanted["description"],
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": wanted["metadata"],
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": methods,
        "processing": None,
        "receipt_email": wanted["receipt_email"],
        "review": None,
        "setup_future_usage": wanted["setup_future_usage"],
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    work.save(intent)
    work.announce("payment_intent.created", intent)
    return intent


def new_charge(intent: Document, card: Card, email: str | None, now: int) -> Document:
    """The attempt to charge a card; not saved yet."""
    declined = card.decline
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0 if declined else intent["amount"],
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {"address": None, "email": email, "name": None, "phone": None, "tax_id": None},
        "calculated_statement_descriptor": "SOULSEER",
        "captured": not declined,
        "created": now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": declined.code if declined else None,
        "failure_message": declined.message if declined else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(card),
        "paid": not declined,
        "payment_intent": intent["id"],
        "payment_method": new_id("pm"),
        "payment_method_details": {
            "type": "card",
            "card": {"brand": card.brand, "country": "US", "exp_month": 12, "exp_year": 2034, "funding": "credit", "last4": card.last4},
        },
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "failed" if declined else "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }  # fmt: skip


def _outcome(card: Card) -> dict[str, Any]:
    if card.decline is None:
        return {"network_status": "approved_by_network", "reason": None, "risk_level": "normal", "risk_score": 12,
                "seller_message": "Payment complete.", "type": "authorized"}  # fmt: skip
    return {"network_status": "declined_by_network", "reason": card.decline.decline_code or card.decline.code,
            "risk_level": "normal", "risk_score": 12, "seller_message": card.decline.message, "type": "issuer_declined"}  # fmt: skip


def _decline(work: Work, session: Document, intent: Document, charge: Document, card: Card) -> Document:
    work.save(charge)
    decline_intent(work, intent, charge, card)
    session |= {"payment_intent": intent["id"]}
    work.save(session)
    announce_failure(work, intent, charge)
    return session


def decline_intent(work: Work, intent: Document, charge: Document, card: Card) -> None:
    """The intent bears why the charge failed, and waits for another payment method."""
    decline = card.decline
    error = {"type": "card_error", "charge": charge["id"], "code": charge["failure_code"], "message": charge["failure_message"],
             "decline_code": decline.decline_code if decline else None}  # fmt: skip
    intent |= {
        "last_payment_error": error,
        "latest_charge": charge["id"],
        "status": "requires_payment_method",
    }
    work.save(intent)


def announce_failure(work: Work, intent: Document, charge: Document) -> None:
    work.announce("charge.failed", charge)
    work.announce("payment_intent.payment_failed", intent)


def _new_customer(work: Work, session: Document, email: str | None) -> str | None:
    if session["customer_creation"] != "always":
        return None
    return str(new_customer(work, email=email)["id"])
