"""What a customer sees at Stripe besides the checkout: the billing portal and an invoice's own page."""

from typing import Any

from flask import Blueprint, redirect, render_template, request
from werkzeug.exceptions import NotFound

from soulseer.sandbox.stripe import invoices, store, subscription_control, subscriptions
from soulseer.sandbox.stripe.recurring import now_of
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work


def create_portal_pages(stand_in: StandIn) -> Blueprint:
    """`/p/session/{id}` and `/i/{invoice}`."""
    pages = Blueprint("portal", __name__)

    @pages.get("/p/session/<session_id>")
    def show(session_id: str) -> str:
        with stand_in.work() as work:
            session = _found(work, "billing_portal.session", session_id)
            found, _ = store.page(
                work.connection, "subscription", limit=20, equal={"customer": session["customer"]}
            )
            unpaid = [invoice for one in found for invoice in invoices.open_invoices(work, one)]
            declining = {one["id"] for one in found if subscription_control.declines(work, one)}
            products = {
                one["id"]: work.get("product", one["items"]["data"][0]["price"]["product"])["name"]
                for one in found
            }
        return render_template(
            "sandbox/portal.html",
            session=session,
            subscriptions=found,
            unpaid=unpaid,
            declining=declining,
            products=products,
        )

    @pages.post("/p/session/<session_id>/<identifier>")
    def act(session_id: str, identifier: str) -> Any:
        deed = request.form.get("deed", "")
        with stand_in.work() as work:
            session = _found(work, "billing_portal.session", session_id)
            subscription = _found(work, "subscription", identifier)
            if subscription["customer"] != session["customer"]:
                raise NotFound("There is no such subscription.")
            if deed in ("cancel", "keep") and subscription["status"] != "canceled":
                subscriptions.set_cancel(work, subscription, deed == "cancel")
                work.save(subscription)
                work.announce("customer.subscription.updated", subscription)
            elif deed in ("good_card", "bad_card"):
                subscription_control.set_card(work, subscription, declines=deed == "bad_card")
        return redirect(f"/p/session/{session_id}", 303)

    @pages.get("/i/<invoice_id>")
    def invoice_page(invoice_id: str) -> str:
        with stand_in.work() as work:
            invoice = _found(work, "invoice", invoice_id)
        return render_template("sandbox/invoice.html", invoice=invoice, product=stand_in.settings.product_url)

    @pages.post("/i/<invoice_id>")
    def pay_invoice(invoice_id: str) -> Any:
        with stand_in.work() as work:
            invoice = _found(work, "invoice", invoice_id)
            if invoice["status"] == "open":
                name = invoice["parent"]["subscription_details"]["subscription"]
                subscription = work.get("subscription", name)
                subscription_control.set_card(work, subscription, declines=False)
                subscriptions.retry(work, subscription, now_of(work, subscription))
        return redirect(f"/i/{invoice_id}", 303)

    return pages


def _found(work: Work, kind: str, identifier: str) -> Document:
    found = work.find(kind, identifier)
    if found is None:
        raise NotFound("There is nothing here.")
    return found
