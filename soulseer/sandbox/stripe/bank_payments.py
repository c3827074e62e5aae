"""Paying from a bank account: the checkout is complete at once, the money comes, or fails to come, days later."""

from typing import Any

from soulseer.sandbox.stripe import payments
from soulseer.sandbox.stripe.balances import book
from soulseer.sandbox.stripe.cards import Card, Decline
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id

_ACCOUNT = Card("000123456789", "", None)
_RETURNED = Decline(
    "payment_method_provider_decline", "insufficient_funds", "The customer's account has insufficient funds."
)
# 0.8 %, at most five dollars (Stripe's price of an ACH debit).
_MOST_FEE = 500


def pay(work: Work, session: Document, email: str | None = None) -> Document:
    """The buyer has told the bank to pay: complete, unpaid, the intent processing. Announced as Stripe does."""
    intent = payments.intent_for(work, session)
    charge: Document = payments.new_charge(intent, _ACCOUNT, email, work.now) | {
        "id": new_id("py"),
        "paid": False,
        "status": "pending",
        "payment_method_details": _details(),
    }
    work.save(charge)
    intent |= {
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
        "status": "processing",
    }
    work.save(intent)
    session = work.save(payments.complete(work, session, intent, email))
    work.announce("charge.pending", charge)
    work.announce("payment_intent.processing", intent)
    work.announce("checkout.session.completed", session)
    return session


def settle(work: Work, intent: Document, *, succeeds: bool) -> Document:
    """The bank has decided. Raises ApiError where the intent is not waiting for one."""
    if intent["status"] != "processing":
        raise ApiError(f"This payment is {intent['status']}: no bank is asked about it.")
    charge = work.get("charge", intent["latest_charge"])
    session = _session_of(work, intent)
    if succeeds:
        fee = min((charge["amount"] * 8 + 500) // 1000, _MOST_FEE)
        line = book(work, charge, kind="payment", amount=charge["amount"], fee=fee)
        charge |= {"paid": True, "status": "succeeded", "balance_transaction": line["id"]}
        intent |= {"amount_received": intent["amount"], "status": "succeeded"}
        session |= {"payment_status": "paid"}
    else:
        charge |= {
            "status": "failed",
            "failure_code": _RETURNED.code,
            "failure_message": _RETURNED.message,
            "captured": False,
        }
        charge |= {"amount_captured": 0}
        payments.decline_intent(work, intent, charge, Card(_ACCOUNT.number, "", _RETURNED))
    for document in (charge, intent, session):
        work.save(document)
    if succeeds:
        payments.announce_success(work, intent, charge)
    else:
        payments.announce_failure(work, intent, charge)
    work.announce(f"checkout.session.async_payment_{'succeeded' if succeeds else 'failed'}", session)
    return intent


def waiting(work: Work) -> list[Document]:
    """The intents that wait for a bank, newest first."""
    rows = work.connection.execute(
        "SELECT id FROM object WHERE kind = 'payment_intent' AND json_extract(document, '$.status') = 'processing'"
        " ORDER BY sequence DESC LIMIT 100"
    ).fetchall()
    return [work.get("payment_intent", row["id"]) for row in rows]


def _session_of(work: Work, intent: Document) -> Document:
    row = work.connection.execute(
        "SELECT id FROM object WHERE kind = 'checkout.session' AND json_extract(document, '$.payment_intent') = ?",
        (intent["id"],),
    ).fetchone()
    return work.get("checkout.session", row["id"])


def _details() -> dict[str, Any]:
    account = {"account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
               "last4": _ACCOUNT.last4, "routing_number": "110000000"}  # fmt: skip
    return {"type": "us_bank_account", "us_bank_account": account}
