"""/membership/: plans, one's own plan, its invoices; to Stripe Checkout, and every change of it."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer import gateways
from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import MONEY, POLL, limited
from soulseer.blueprints.membership_deeds import carry_out, preview, subscribe_to, withdraw
from soulseer.db import transaction
from soulseer.domain import clock, policies
from soulseer.domain.errors import Conflict, InvalidInput, NotFound, VendorError
from soulseer.domain.money import from_cents
from soulseer.gateways import stripe_subscriptions
from soulseer.gateways.stripe import StripeUnavailable
from soulseer.models.subscriptions import AUDIENCES, BEGINNING, LIVE
from soulseer.services import customers, plans, subscriptions
from soulseer.services.people import SignedIn

blueprint = Blueprint("membership", __name__, url_prefix="/membership")

INVOICES_SHOWN = 10
# A page asks so many times, three seconds apart, and then leaves it to the reader to look again.
MOST_POLLS = 60
STILL_DOING = (
    "The payment service is slow to answer. What you asked for is being done; look again in a few minutes."
)


def audiences_of(person: SignedIn) -> list[str]:
    """Whose plans concern the person: readers' and clients', by role."""
    return [audience for audience in AUDIENCES if audience in person.roles]


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """Plans, the person's own, and invoices."""
    return page()


def page(status: int = 200, failure: str | None = None) -> ResponseReturnValue:
    """The page, whole."""
    person = require_person()
    offered = plans.offered(audiences_of(person))
    standings = {found.subscription.audience: found for found in subscriptions.standings(person.id)}
    before = _number(request.args.get("before", ""))
    found = subscriptions.invoices(person.id, before=before, limit=INVOICES_SHOWN)
    interval = "year" if request.args.get("interval") == "year" else "month"
    body = render_template(
        "membership/show.html",
        audiences=audiences_of(person),
        plans={audience: [plan for plan in offered if plan.audience == audience] for audience in AUDIENCES},
        standings=standings,
        interval=interval,
        invoices=found[:INVOICES_SHOWN],
        older=found[INVOICES_SHOWN - 1].id if len(found) > INVOICES_SHOWN else None,
        first_page=before is None,
        owed=next((one for one in found if one.state == "open" and one.hosted_url), None),
        came_from=request.args.get("from", ""),
        shown=_token(list(standings.values())),
        yearly_saving=subscriptions.yearly_saving,
        failure=failure,
        BEGINNING=BEGINNING,
        LIVE=LIVE,
    )
    return body, status


@blueprint.get("/state/")
@limited(POLL)
def state() -> ResponseReturnValue:
    """Asked by the page while Stripe is awaited: have it loaded anew once something has changed."""
    person, shown = require_person(), request.args.get("shown", "")
    if _token(subscriptions.standings(person.id)) != shown:
        return Response(headers={"HX-Refresh": "true"})
    tries = min(_number(request.args.get("tries", "")) or MOST_POLLS, MOST_POLLS) + 1
    poll_url = url_for("membership.state", shown=shown, tries=tries) if tries <= MOST_POLLS else None
    return render_template("membership/_poll.html", poll_url=poll_url, page_url=url_for("membership.show"))


@blueprint.post("/subscribe/")
@limited(MONEY)
def subscribe() -> ResponseReturnValue:
    """Lead to the checkout of a plan; the same form sent twice leads to the same checkout."""
    person = require_person()
    code, interval = request.form.get("plan", ""), request.form.get("interval", "")
    try:
        row = subscribe_to(person.id, audiences_of(person), code, interval)
    except (InvalidInput, Conflict) as error:
        return page(error.status, failure=error.detail)
    except VendorError as error:
        return page(error.status, failure=f"{error.detail}. If you try again, you will not pay twice.")
    if row.state in BEGINNING and row.checkout_url:
        return redirect(row.checkout_url, 303)
    return redirect(url_for("membership.show"), 303)


@blueprint.post("/<int:subscription_id>/withdraw/")
@limited(MONEY)
def give_up(subscription_id: int) -> ResponseReturnValue:
    """Close the open checkout so that nobody can go through it; what was completed already counts."""
    person = require_person()
    with transaction():
        row = subscriptions.owned(person.id, subscription_id).subscription
    try:
        if row.state in BEGINNING:
            withdraw(row)
    except VendorError as error:
        return page(error.status, failure=error.detail)
    return redirect(url_for("membership.show"), 303)


@blueprint.get("/<int:subscription_id>/change/")
@limited(MONEY)
def change(subscription_id: int) -> ResponseReturnValue:
    """What a change of plan costs, before it is done: reckoned by Stripe."""
    person, now = require_person(), clock.now()
    code, interval = request.args.get("plan", ""), request.args.get("interval", "")
    try:
        standing, plan, reckoned = preview(person.id, subscription_id, code, interval, now)
    except (InvalidInput, Conflict, VendorError) as error:
        return page(error.status, failure=error.detail)
    return render_template(
        "membership/change.html",
        standing=standing,
        plan=plan,
        interval=interval,
        due=from_cents(reckoned.amount_due_cents),
        credit=from_cents(max(0, -reckoned.total_cents)),
        lines=[{"label": words, "amount": from_cents(cents)} for words, cents in reckoned.lines],
        reckoned_at=int(now.timestamp()),
    )


@blueprint.post("/<int:subscription_id>/change/")
@limited(MONEY)
def do_change(subscription_id: int) -> ResponseReturnValue:
    """Change the plan as previewed; the same click twice changes it once."""
    code, interval = request.form.get("plan", ""), request.form.get("interval", "")
    reckoned = _number(request.form.get("reckoned_at", ""))
    at = datetime.fromtimestamp(reckoned, UTC) if reckoned is not None and reckoned < 10**11 else None
    return _deed(
        subscription_id, "change", "Your plan is changed.", code=code, interval=interval, reckoned_at=at
    )


@blueprint.post("/<int:subscription_id>/cancel/")
@limited(MONEY)
def cancel(subscription_id: int) -> ResponseReturnValue:
    """Let the plan end with its period, in one click; at once where its payment failed."""
    return _deed(subscription_id, "cancel", "Your plan is canceled. Nothing more is charged.")


@blueprint.post("/<int:subscription_id>/undo/")
@limited(MONEY)
def undo(subscription_id: int) -> ResponseReturnValue:
    """Go on after all."""
    return _deed(subscription_id, "undo", "Your plan goes on.")


def _deed(subscription_id: int, kind: str, words: str, **wanted: Any) -> ResponseReturnValue:
    person = require_person()
    try:
        carry_out(person.id, subscription_id, kind, **wanted)
    except StripeUnavailable:
        # The order stands, and the sweep goes on with it.
        flash(STILL_DOING, "warning")
    except (InvalidInput, Conflict, VendorError) as error:
        return page(error.status, failure=error.detail)
    else:
        flash(words, "success")
    return redirect(url_for("membership.show"), 303)


@blueprint.post("/portal/")
@limited(MONEY)
def portal() -> ResponseReturnValue:
    """To Stripe's own pages about one's card and invoices."""
    person = require_person()
    with transaction():
        customer = customers.customer_of(person.id)
    if customer is None:
        raise NotFound("There is nothing to manage before a first payment.")
    back = f"{policies.current().app_base_url}/membership/"
    try:
        address = stripe_subscriptions.portal_url(
            gateways.current().stripe, customer.stripe_customer_id, back
        )
    except VendorError as error:
        return page(error.status, failure=error.detail)
    return redirect(address, 303)


def _token(standings: list[subscriptions.Standing]) -> str:
    """What the page shows of the person's plans; another token, another page."""
    return ",".join(
        f"{one.subscription.id}-{one.subscription.state}-{one.price.id}-{one.order.id if one.order else 0}"
        for one in standings
    )


def _number(text: str) -> int | None:
    """A whole number from the address or a form; nonsense is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
