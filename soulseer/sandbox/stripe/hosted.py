"""The hosted checkout page: `/c/pay/{session}`."""

from typing import Any

from flask import Blueprint, redirect, render_template, request
from werkzeug.exceptions import NotFound

from soulseer.sandbox.people import normalise_email
from soulseer.sandbox.stripe import bank_payments
from soulseer.sandbox.stripe.cards import KNOWN_CARDS, read_card
from soulseer.sandbox.stripe.checkout import current_session, return_address
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.expansion import line_items_of
from soulseer.sandbox.stripe.paying import pay
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work


def create_hosted_pages(stand_in: StandIn) -> Blueprint:
    """The page a buyer is sent to, and what its form does."""
    pages = Blueprint("hosted", __name__)

    @pages.get("/c/pay/<session_id>")
    def show(session_id: str) -> Any:
        with stand_in.work() as work:
            session = _session(work, session_id)
            items = line_items_of(work, session_id)["data"]
        if session["status"] != "open":
            return _closed(session)
        return _form(session, items)

    @pages.post("/c/pay/<session_id>")
    def submit(session_id: str) -> Any:
        typed_email = request.form.get("email", "").strip()
        email, card = normalise_email(typed_email), read_card(request.form.get("card_number", ""))
        with stand_in.work() as work:
            session = _session(work, session_id)
            items = line_items_of(work, session_id)["data"]
            # The first of two clicks has completed the session before the second gets here.
            is_open = session["status"] == "open"
            by_bank = (
                request.form.get("method") == "bank" and "us_bank_account" in session["payment_method_types"]
            )
            if is_open and by_bank and (email is not None or not typed_email):
                session = bank_payments.pay(work, session, email)
            elif is_open and card is not None and (email is not None or not typed_email):
                session = pay(work, session, card, email)
        if not is_open:
            return _closed(session), 409
        if session["status"] == "complete":
            return redirect(return_address(session), 303)
        if card is None:
            return _form(session, items, "Please enter a whole card number.", "card_number"), 422
        if typed_email and email is None:
            return _form(session, items, "Please enter a whole email address.", "email"), 422
        return _form(session, items, card.decline.message if card.decline else None, "card_number"), 402

    return pages


def _session(work: Work, session_id: str) -> Document:
    try:
        return current_session(work, session_id)
    except ApiError as error:
        raise NotFound("There is no such checkout.") from error


def _form(
    session: Document, items: list[Document], error: str | None = None, field: str | None = None
) -> str:
    return render_template(
        "sandbox/checkout.html",
        session=session,
        items=items,
        cards=KNOWN_CARDS,
        error=error,
        field=field,
        email=request.form.get("email", (session["customer_details"] or {}).get("email") or ""),
        card_number=request.form.get("card_number", KNOWN_CARDS[0][0]),
    )


def _closed(session: Document) -> str:
    if session["status"] == "complete":
        return render_template(
            "sandbox/message.html",
            title="This checkout is already paid",
            detail="The payment went through once. Nothing more is charged.",
            product=return_address(session),
        )
    return render_template(
        "sandbox/message.html",
        title="This checkout has expired",
        detail="Nothing was charged. Please start again in SoulSeer.",
        product=session["cancel_url"],
    )
