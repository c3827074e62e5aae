"""`/sandbox/balance/…`: what moves an account's balance without anybody here having asked. Loopback only, no key asked."""

from typing import Any

from flask import Blueprint, request

from soulseer.sandbox.stripe import store
from soulseer.sandbox.stripe.balances import book
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.payments import processing_fee
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id

_FEE_KIND, _BANK_KIND = "stripe_fee", "payout"


def create_balance_switches(stand_in: StandIn) -> Blueprint:
    """POST with JSON, amounts in cents:

    /payouts {"amount"}: to the platform's own bank, with its events; /fees {"amount"}: a fee of Stripe's by itself;
    /charges {"amount", "metadata"}: a payment of which no event tells; /transfers {"amount", "destination"}: one that
    nobody asked for; /lines/{txn} {"amount", "fee"}: a line other than it was.
    """
    switches = Blueprint("control_balance", __name__, url_prefix="/sandbox/balance")

    @switches.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[dict[str, Any], int]:
        return {"error": error.fields}, error.status

    @switches.post("/payouts")
    def pay_out() -> dict[str, Any]:
        amount = _cents("amount")
        with stand_in.work() as work:
            payout = _object(
                work,
                "payout",
                "po",
                amount,
                arrival_date=work.now,
                automatic=False,
                method="standard",
                status="paid",
            )
            line = book(work, payout, kind=_BANK_KIND, amount=-amount)
            work.save(payout | {"balance_transaction": line["id"]})
            work.announce("payout.created", payout)
            work.announce("payout.paid", payout)
            return line

    @switches.post("/fees")
    def take_fee() -> dict[str, Any]:
        amount = _cents("amount")
        with stand_in.work() as work:
            nobody = {"id": None, "currency": "usd", "description": "Billing - Usage Fee"}
            return book(work, nobody, kind=_FEE_KIND, amount=-amount)

    @switches.post("/charges")
    def charge() -> dict[str, Any]:
        amount, metadata = _cents("amount"), _given().get("metadata") or {}
        with stand_in.work() as work:
            intent = _object(work, "payment_intent", "pi", amount, metadata=metadata, status="succeeded")
            paid = _object(
                work, "charge", "ch", amount, metadata=metadata, payment_intent=intent["id"], paid=True,
                status="succeeded", amount_refunded=0, refunded=False, disputed=False, customer=None,
            )  # fmt: skip
            line = book(work, paid, kind="charge", amount=amount, fee=processing_fee(amount))
            work.save(paid | {"balance_transaction": line["id"]})
            work.save(intent | {"latest_charge": paid["id"], "amount_received": amount})
            return line

    @switches.post("/transfers")
    def transfer() -> dict[str, Any]:
        amount, destination = _cents("amount"), str(_given().get("destination", "acct_unknown"))
        with stand_in.work() as work:
            sent = _object(
                work, "transfer", "tr", amount, destination=destination, amount_reversed=0, reversed=False,
                transfer_group=None,
            )  # fmt: skip
            line = book(work, sent, kind="transfer", amount=-amount)
            work.save(sent | {"balance_transaction": line["id"]})
            return line

    @switches.post("/lines/<line_id>")
    def change(line_id: str) -> dict[str, Any]:
        with stand_in.work() as work:
            line = work.get("balance_transaction", line_id)
            amount, fee = _cents("amount", line["amount"]), _cents("fee", line["fee"])
            return work.save(line | {"amount": amount, "fee": fee, "net": amount - fee})

    return switches


def _object(work: Work, kind: str, prefix: str, amount: int, **fields: Any) -> Document:
    """An API object of this kind, as short as it may be."""
    document: Document = {"id": new_id(prefix), "object": kind, "amount": amount, "created": work.now, "currency": "usd",
                          "description": None, "livemode": False, "metadata": {}, **fields}  # fmt: skip
    store.write(work.connection, document)
    return document


def _given() -> dict[str, Any]:
    wanted = request.get_json(silent=True)
    return wanted if isinstance(wanted, dict) else {}


def _cents(name: str, usual: int | None = None) -> int:
    value = _given().get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or (usual is None and value <= 0):
        raise ApiError(f"{name}: a number of cents is expected", param=name)
    return value
