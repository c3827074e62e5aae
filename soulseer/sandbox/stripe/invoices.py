"""Invoices of subscriptions: what they are made of, and paying them off session. Amounts in cents."""

from typing import Any

from soulseer.sandbox.stripe.balances import book
from soulseer.sandbox.stripe.payments import processing_fee
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id

Lines = list[tuple[str, int, Document]]


def draw_up(
    work: Work, subscription: Document, lines: Lines, *, reason: str, at: int, saved: bool = True
) -> Document:
    """An open invoice over ``lines`` (words, cents, price), less what the customer has to their credit.

    Not ``saved``: a preview, which changes nothing.
    """
    customer = work.get("customer", subscription["customer"])
    total, credit = sum(amount for _, amount, _ in lines), int(customer["balance"])
    due = max(0, total + min(credit, 0))
    left = min(0, credit + total) if total < 0 else min(0, credit + (total - due))
    identifier = new_id("in") if saved else f"upcoming_{new_id('in')}"
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    item = subscription["items"]["data"][0]
    invoice: Document = {
        "id": identifier,
        "object": "invoice",
        "amount_due": due,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": due,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_reason": reason if saved else "upcoming",
        "collection_method": "charge_automatically",
        "created": at,
        "currency": "usd",
        "customer": customer["id"],
        "customer_email": customer["email"],
        "default_payment_method": None,
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": at,
        "ending_balance": left,
        "hosted_invoice_url": f"{work.settings.base_url}/i/{identifier}" if saved else None,
        "invoice_pdf": f"{work.settings.base_url}/i/{identifier}" if saved else None,
        "lines": {
            "object": "list",
            "data": [
                {
                    "id": new_id("il"), "object": "line_item", "amount": amount, "currency": "usd", "description": words,
                    "discountable": True, "invoice": identifier, "livemode": False, "metadata": subscription["metadata"],
                    "parent": {"type": "subscription_item_details", "subscription_item_details": {
                        "proration": reason == "subscription_update", "subscription": subscription["id"], "subscription_item": item["id"]}},
                    "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
                    "pricing": {"type": "price_details", "price_details": {"price": price["id"], "product": price["product"]}},
                    "quantity": 1,
                }
                for words, amount, price in lines
            ],
            "has_more": False,
            "url": f"/v1/invoices/{identifier}/lines",
        },
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": number if saved else None,
        "parent": {"type": "subscription_details", "quote_details": None, "subscription_details": {
            "metadata": subscription["metadata"], "subscription": subscription["id"]}},
        "period_start": item["current_period_start"],
        "period_end": item["current_period_end"],
        "starting_balance": credit,
        "status": "open" if saved else "draft",
        "status_transitions": {"finalized_at": at if saved else None, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
        "subtotal": total,
        "total": total,
        "total_discount_amounts": [],
        "total_taxes": [],
    }  # fmt: skip
    if saved:
        customer |= {"balance": left, "next_invoice_sequence": customer["next_invoice_sequence"] + 1}
        work.save(customer)
        work.save(invoice)
        work.announce("invoice.created", invoice)
        work.announce("invoice.finalized", invoice)
    return invoice


def settle(work: Work, invoice: Document, method: Document | None, *, at: int, declines: bool) -> bool:
    """Try to collect an open invoice; whether it is paid. Nothing due is paid without a payment."""
    invoice |= {"attempted": True}
    if invoice["amount_due"] == 0:
        _paid(work, invoice, at)
        return True
    invoice |= {"attempt_count": invoice["attempt_count"] + 1}
    intent = _intent(work, invoice, method)
    charge = _charge(intent, invoice, method, declines or method is None, work.now)
    intent |= {"latest_charge": charge["id"]}
    if charge["status"] == "failed":
        error = {"type": "card_error", "charge": charge["id"], "code": "card_declined", "decline_code": "generic_decline",
                 "message": charge["failure_message"]}  # fmt: skip
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        for document in (charge, intent, invoice):
            work.save(document)
        work.announce("charge.failed", charge)
        work.announce("payment_intent.payment_failed", intent)
        work.announce("invoice.payment_failed", invoice)
        return False
    line = book(work, charge, kind="charge", amount=charge["amount"], fee=processing_fee(charge["amount"]))
    charge["balance_transaction"] = line["id"]
    intent |= {"status": "succeeded", "amount_received": charge["amount"], "last_payment_error": None}
    work.save(charge)
    work.save(intent)
    work.announce("charge.succeeded", charge)
    work.announce("payment_intent.succeeded", intent)
    _paid(work, invoice, at, intent)
    return True


def payments_of(work: Work, invoice: Document) -> Document:
    """The invoice's payments: told only to who expands them."""
    kept = work.find("invoice_payments", f"{invoice['id']}:payments")
    return (
        kept["list"]
        if kept
        else {"object": "list", "data": [], "has_more": False, "url": "/v1/invoice_payments"}
    )


def open_invoices(work: Work, subscription: Document) -> list[Document]:
    """Unpaid invoices of the subscription, oldest first."""
    rows = work.connection.execute(
        "SELECT id FROM object WHERE kind = 'invoice' AND json_extract(document, '$.status') = 'open'"
        " AND json_extract(document, '$.parent.subscription_details.subscription') = ? ORDER BY sequence",
        (subscription["id"],),
    ).fetchall()
    return [work.get("invoice", row["id"]) for row in rows]


def _paid(work: Work, invoice: Document, at: int, intent: Document | None = None) -> None:
    invoice |= {
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "next_payment_attempt": None,
        "status": "paid",
        "status_transitions": invoice["status_transitions"] | {"paid_at": at},
    }
    work.save(invoice)
    if intent is not None:
        payment = {
            "id": new_id("inpay"), "object": "invoice_payment", "amount_paid": intent["amount"],
            "amount_requested": intent["amount"], "created": at, "currency": "usd", "invoice": invoice["id"],
            "is_default": True, "livemode": False, "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "paid", "status_transitions": {"canceled_at": None, "paid_at": at},
        }  # fmt: skip
        listed = {"object": "list", "data": [payment], "has_more": False, "url": "/v1/invoice_payments"}
        work.save(
            {"id": f"{invoice['id']}:payments", "object": "invoice_payments", "created": at, "list": listed}
        )
    work.announce("invoice.paid", invoice)
    work.announce("invoice.payment_succeeded", invoice)


def _intent(work: Work, invoice: Document, method: Document | None) -> Document:
    """The invoice's payment intent: made at the first attempt, used again afterwards."""
    kept = work.find("invoice_intent", f"{invoice['id']}:intent")
    if kept is not None:
        return work.get("payment_intent", kept["intent"]) | {"payment_method": (method or {}).get("id")}
    identifier = new_id("pi")
    intent: Document = {
        "id": identifier, "object": "payment_intent", "amount": invoice["amount_due"], "amount_capturable": 0,
        "amount_received": 0, "application": None, "application_fee_amount": None, "canceled_at": None,
        "capture_method": "automatic", "client_secret": f"{identifier}_secret_{new_id('s')[2:]}",
        "confirmation_method": "automatic", "created": work.now, "currency": "usd", "customer": invoice["customer"],
        "description": "Subscription creation" if invoice["billing_reason"] == "subscription_create" else "Subscription update",
        "last_payment_error": None, "latest_charge": None, "livemode": False, "metadata": {}, "next_action": None,
        "on_behalf_of": None, "payment_method": (method or {}).get("id"), "payment_method_types": ["card"],
        "receipt_email": None, "setup_future_usage": "off_session", "status": "requires_confirmation",
        "transfer_data": None, "transfer_group": None,
    }  # fmt: skip
    work.save(intent)
    work.announce("payment_intent.created", intent)
    work.save(
        {
            "id": f"{invoice['id']}:intent",
            "object": "invoice_intent",
            "created": work.now,
            "intent": intent["id"],
        }
    )
    return intent


def _charge(
    intent: Document, invoice: Document, method: Document | None, failed: bool, now: int
) -> dict[str, Any]:
    card = (method or {}).get("card") or {}
    return {
        "id": new_id("ch"), "object": "charge", "amount": intent["amount"], "amount_captured": 0 if failed else intent["amount"],
        "amount_refunded": 0, "application": None, "application_fee": None, "application_fee_amount": None,
        "balance_transaction": None, "billing_details": {"address": None, "email": invoice["customer_email"], "name": None, "phone": None, "tax_id": None},
        "calculated_statement_descriptor": "SOULSEER", "captured": not failed, "created": now, "currency": "usd",
        "customer": intent["customer"], "description": intent["description"], "disputed": False,
        "failure_balance_transaction": None, "failure_code": "card_declined" if failed else None,
        "failure_message": "Your card was declined." if failed else None, "fraud_details": {}, "livemode": False,
        "metadata": {}, "on_behalf_of": None,
        "outcome": {"network_status": "declined_by_network" if failed else "approved_by_network", "reason": "generic_decline" if failed else None,
                    "risk_level": "normal", "risk_score": 12, "seller_message": "Your card was declined." if failed else "Payment complete.",
                    "type": "issuer_declined" if failed else "authorized"},
        "paid": not failed, "payment_intent": intent["id"], "payment_method": (method or {}).get("id"),
        "payment_method_details": {"type": "card", "card": card}, "receipt_email": None, "receipt_number": None,
        "receipt_url": None, "refunded": False, "review": None, "shipping": None, "source_transfer": None,
        "statement_descriptor": None, "statement_descriptor_suffix": None, "status": "failed" if failed else "succeeded",
        "transfer_data": None, "transfer_group": None,
    }  # fmt: skip
