"""Paying a Checkout session by card: payment intent, charge, balance transaction and their events. Amounts in cents."""

from typing import Any

from soulseer.sandbox.stripe.balances import book
from soulseer.sandbox.stripe.cards import Card
from soulseer.sandbox.stripe.customers import new_customer
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
    intent = _intent_for(work, session)
    charge = _charge(work, intent, card, email)
    if card.decline is not None:
        return _decline(work, session, intent, charge, card)
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
    details = session["customer_details"] or {
        "name": None,
        "phone": None,
        "address": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }
    session |= {
        "customer": session["customer"] or _new_customer(work, session, email),
        "customer_details": details | {"email": email or details.get("email")},
        "payment_intent": intent["id"],
        "payment_status": "paid",
        "status": "complete",
        "url": None,
    }
    work.save(session)
    work.announce("charge.succeeded", charge)
    work.announce("payment_intent.succeeded", intent)
    work.announce("checkout.session.completed", session)
    return session


def _intent_for(work: Work, session: Document) -> Document:
    """The session's payment intent: made at the first attempt, used again after a decline."""
    if session["payment_intent"]:
        return work.get("payment_intent", session["payment_intent"])
    wanted = work.get("intent_data", f"{session['id']}:intent")
    identifier = new_id("pi")
    intent: Document = {
        "id": identifier,
        "object": "payment_intent",
        "amount": session["amount_total"],
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
        "currency": session["currency"],
        "customer": session["customer"],
        "description": wanted["description"],
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": wanted["metadata"],
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": session["payment_method_types"],
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


def _charge(work: Work, intent: Document, card: Card, email: str | None) -> Document:
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
        "created": work.now,
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
    decline = card.decline
    error = {"type": "card_error", "charge": charge["id"], "code": charge["failure_code"], "message": charge["failure_message"],
             "decline_code": decline.decline_code if decline else None}  # fmt: skip
    work.save(charge)
    intent |= {
        "last_payment_error": error,
        "latest_charge": charge["id"],
        "status": "requires_payment_method",
    }
    work.save(intent)
    session |= {"payment_intent": intent["id"]}
    work.save(session)
    work.announce("charge.failed", charge)
    work.announce("payment_intent.payment_failed", intent)
    return session


def _new_customer(work: Work, session: Document, email: str | None) -> str | None:
    if session["customer_creation"] != "always":
        return None
    return str(new_customer(work, email=email)["id"])
