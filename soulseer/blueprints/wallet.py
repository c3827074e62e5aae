"""/wallet/: balance, history, and top-ups by Stripe Checkout. What a page shows of money comes from the ledger."""

import re
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer import gateways
from soulseer.blueprints.access import require_person
from soulseer.blueprints.api_input import idempotency_key
from soulseer.blueprints.limits import MONEY, POLL, limited
from soulseer.blueprints.rendering import holding_of, money
from soulseer.blueprints.top_up_forms import top_up_form
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import InvalidInput, SoulSeerError, VendorError
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.models.payments import TopUp
from soulseer.services import holds, top_ups, wallets
from soulseer.services.top_ups import Outcome

blueprint = Blueprint("wallet", __name__, url_prefix="/wallet")

WAITING = ("created", "open")
# A page asks so many times, three seconds apart, and then leaves it to the reader to look again.
MOST_POLLS = 60
KINDS = {
    "top_up": "Top-up by card",
    "reading_minute": "Reading",
    "fair_credit": "Unused time given back",
    "promotion": "Gift from SoulSeer",
    "promotion_spent": "Promotional credit spent",
    "adjustment": "Correction by SoulSeer",
    "booking": "Booking",
    "booking_refund": "Booking refunded",
    "gift": "Gift sent",
    "paid_reply": "Paid reply",
    "shop_order": "Shop order",
    "subscription": "Subscription",
    "tip": "Tip",
    "refund_to_wallet": "Refund",
    "refund_to_card": "Paid back to your card",
    "refund_failed": "Refund to your card came back",
    "chargeback": "Disputed payment taken back",
    "chargeback_won": "Disputed payment returned",
    "receivable_paid": "Paid what was owed",
}
_REQUEST_KEY = re.compile(r"[A-Za-z0-9-]{8,64}")


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """Balance, top-up form, history."""
    return page(return_path=request.args.get("return_path", top_ups.HOME))


@blueprint.post("/top-up/")
@limited(MONEY)
def top_up() -> ResponseReturnValue:
    """Begin a top-up and lead to its checkout; the same form sent twice leads to the same checkout."""
    person_id = require_person().id
    typed, form_key = request.form.get("amount", ""), request.form.get("request_key", "")
    return_path = request.form.get("return_path") or top_ups.HOME
    try:
        amount = top_ups.typed_amount(typed)
        save_card = request.form.get("save_card") == "1"
        key = _key(form_key, f"{amount}:card" if save_card else str(amount))
        started = start(person_id, amount, key=key, return_path=return_path, save_card=save_card)
    except InvalidInput as error:
        if error.field not in ("amount", "return_path"):
            raise
        return page(error.status, errors={error.field: [error.detail]}, typed=typed, return_path=return_path)
    except VendorError as error:
        # The same key again, where Stripe may have done it, so that the next click finds the same checkout.
        kept = form_key if isinstance(error, StripeUnavailable) else ""
        return page(
            error.status, failure=error.detail, typed=typed, return_path=return_path, request_key=kept
        )
    if started.state == "open" and started.checkout_url:
        return redirect(started.checkout_url, 303)
    return redirect(url_for("wallet.top_up_page", top_up_id=started.id), 303)


def _key(form_key: str, amount: str) -> str | None:
    """The Idempotency-Key header, else the form's own key; another amount in the same form is another top-up."""
    header = idempotency_key()
    if header is not None:
        return f"page-key:{header}"
    return f"page:{form_key}:{amount}" if _REQUEST_KEY.fullmatch(form_key) else None


def start(
    person_id: int,
    amount: Any,
    *,
    key: str | None,
    return_path: str = top_ups.HOME,
    save_card: bool = False,
) -> TopUp:
    """Record the intent, ask Stripe, record the outcome; the top-up as it then is.

    Raises InvalidInput, IdempotencyMismatch; StripeUnavailable (the sweep goes on with it, and so does the same key),
    StripeRefused.
    """
    with transaction():
        begun = top_ups.begin(
            person_id, amount, clock.now(), key=key, return_path=return_path, save_card=save_card
        )
    if begun.state == "failed" and begun.stripe_checkout_session_id is None:
        raise StripeRefused(begun.failure or "")
    if begun.state != "created":
        return begun
    return ask(begun)


def ask(begun: TopUp) -> TopUp:
    """Ask Stripe about a top-up and record what it says. Raises StripeUnavailable, StripeRefused."""
    person_id, top_up_id = begun.person_id, begun.id
    try:
        checkout = top_ups.ask_stripe(begun)
    except StripeRefused:
        with transaction():
            top_ups.record_refusal(top_up_id, clock.now())
        raise
    except StripeUnavailable:
        # Another click may have been answered meanwhile.
        with transaction():
            begun = top_ups.owned(person_id, top_up_id)
        if begun.state == "created":
            raise
        return begun
    with transaction():
        recorded = top_ups.record(top_up_id, checkout, clock.now())
        opened = top_ups.owned(person_id, top_up_id)
    if recorded.outcome is Outcome.MISMATCH:
        raise StripeRefused()
    return opened


@blueprint.get("/top-ups/")
@limited(POLL)
def recent() -> ResponseReturnValue:
    """Asked by the wallet while a top-up waits: have it loaded anew once one of them is decided."""
    watched = request.args.get("waiting", "")
    if watched != waiting_ids(top_ups.recent(require_person().id)):
        return Response(headers={"HX-Refresh": "true"})
    return ask_again("wallet.recent", url_for("wallet.show"), waiting=watched)


@blueprint.get("/top-up/<int:top_up_id>/")
def top_up_page(top_up_id: int) -> ResponseReturnValue:
    """Where the checkout leads back to: waits for Stripe's word and says so."""
    found = top_ups.owned(require_person().id, top_up_id)
    came_from = request.args.get("from", "")
    if found.state == "paid" and found.return_path != top_ups.HOME and came_from == "checkout":
        # On to where the client was: a reading's room.
        flash(f"{money(found.amount)} is in your wallet.", "success")
        return redirect(found.return_path, 303)
    return render_template("wallet/top_up.html", top_up=found, shown=state_shown(found), came_from=came_from)


def state_shown(top_up: TopUp | top_ups.Recent) -> str:
    """The top-up's state as a page shows it: what is paid and has not arrived is ``processing``."""
    return "processing" if top_up.state == "open" and top_up.processing_since else top_up.state


@blueprint.get("/top-up/<int:top_up_id>/state/")
@limited(POLL)
def top_up_state(top_up_id: int) -> ResponseReturnValue:
    """Asked by that page while the top-up waits: have it loaded anew once it is decided."""
    shown = request.args.get("shown", "")
    if state_shown(top_ups.owned(require_person().id, top_up_id)) != shown:
        return Response(headers={"HX-Refresh": "true"})
    origin: dict[str, Any] = {"from": request.args.get("from") or None}
    page_url = url_for("wallet.top_up_page", top_up_id=top_up_id, **origin)
    return ask_again("wallet.top_up_state", page_url, top_up_id=top_up_id, shown=shown, **origin)


def ask_again(endpoint: str, page_url: str, **arguments: Any) -> ResponseReturnValue:
    """The element that asks once more; after MOST_POLLS a link in its place."""
    tries = _tries() + 1
    poll_url = url_for(endpoint, tries=tries, **arguments) if tries <= MOST_POLLS else None
    return render_template("wallet/_poll.html", poll_url=poll_url, page_url=page_url)


@blueprint.post("/top-up/<int:top_up_id>/cancel/")
@limited(MONEY)
def cancel(top_up_id: int) -> ResponseReturnValue:
    """Close the checkout so that it can no longer be paid; what was paid already is credited instead."""
    person_id = require_person().id
    with transaction():
        found = top_ups.owned(person_id, top_up_id)
    checkout_id = found.stripe_checkout_session_id
    if found.state == "open" and checkout_id is not None:
        stripe = gateways.current().stripe
        try:
            checkout = stripe.expire_checkout(checkout_id)
        except StripeRefused:
            # It is no longer open: paid or expired, Stripe says which.
            checkout = stripe.retrieve_checkout(checkout_id)
        with transaction():
            top_ups.record(top_up_id, checkout, clock.now())
    return redirect(url_for("wallet.top_up_page", top_up_id=top_up_id), 303)


def _tries() -> int:
    """How often this page has asked already."""
    value = request.args.get("tries", "0")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 5 else MOST_POLLS


def waiting_ids(found: list[top_ups.Recent]) -> str:
    """The top-ups that wait for Stripe, as the page names them when it asks again."""
    return ",".join(str(top_up.id) for top_up in found if state_shown(top_up) in WAITING)


def page(
    status: int = 200,
    *,
    errors: dict[str, list[str]] | None = None,
    failure: str | None = None,
    typed: str = "",
    return_path: str = top_ups.HOME,
    request_key: str = "",
) -> ResponseReturnValue:
    """The wallet, whole."""
    person = require_person()
    person_id = person.id
    try:
        return_path = top_ups.local_path(return_path)
    except SoulSeerError:
        return_path = top_ups.HOME
    cursor = request.args.get("cursor")
    history, found = wallets.overview(person_id, cursor)
    body = render_template(
        "wallet/show.html",
        held=holding_of(person),
        hold=person.hold,
        # Asked only of those whose spending is paused.
        owed=holds.owed(person_id) if person.hold else None,
        history=history,
        first_page=not cursor,
        top_ups=found,
        waiting=waiting_ids(found),
        kinds=KINDS,
        errors=errors or {},
        failure=failure,
        return_path=return_path,
        form=top_up_form(
            None,
            return_path,
            key=request_key,
            save_card=True,
            typed=typed,
            errors=tuple((errors or {}).get("amount", ())),
        ),
    )
    return body, status
