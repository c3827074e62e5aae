"""/payouts/: where a reader's earnings stand, setting up payouts at Stripe, statements, totals by year."""

import re
import uuid
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from soulseer.blueprints.access import require_person, roles_required
from soulseer.blueprints.limits import MONEY, limited
from soulseer.db import db, transaction
from soulseer.domain import clock, policies
from soulseer.domain.errors import Forbidden, NotFound, VendorError
from soulseer.models.payouts import Payout, PayoutAccount
from soulseer.services import applications, payout_accounts, payout_rules, payout_words, payouts, statements
from soulseer.services.payouts import PayoutRefused

blueprint = Blueprint("payouts", __name__, url_prefix="/payouts")

PAGE = 20
ROW_IDS_END = 2**63
_REQUEST_KEY = re.compile(r"[A-Za-z0-9-]{8,64}")


@blueprint.get("/")
@roles_required("reader")
def show() -> ResponseReturnValue:
    """What is held, available and on its way; what stands in the way; the payouts so far."""
    return page()


def page(status: int = 200, **more: Any) -> ResponseReturnValue:
    """The page of payouts. ``more`` are ``failure`` (what just went wrong) and ``request_key`` (to be kept)."""
    person = require_person()
    account = payout_accounts.of(person.id)
    rows, following = _listed(person.id, _before())
    values = {
        "account": account,
        "standing": payout_rules.standing(person.id, account),
        "needed": _needed(account),
        "checking": account is not None and bool(account.pending_verification),
        "next_release": statements.next_release(person.id),
        "payouts": rows,
        "next_url": url_for("payouts.show", before=following) if following else None,
        "first_url": url_for("payouts.show") if _before() else None,
        "policy": policies.current().payout,
        "failure": None,
        "request_key": str(uuid.uuid4()),
    }
    return render_template("payouts/show.html", **(values | more)), status


def _needed(account: PayoutAccount | None) -> list[str]:
    """What Stripe still wants to know, in words."""
    return payout_words.all_needed([*account.past_due, *account.currently_due]) if account is not None else []


def _before() -> int | None:
    value = request.args.get("before", "")
    known = value.isascii() and value.isdigit() and len(value) < 20 and int(value) < ROW_IDS_END
    return int(value) if known else None


def _listed(person_id: int, before: int | None) -> tuple[list[Payout], int | None]:
    """The reader's payouts, newest first, and the place to go on from."""
    query = select(Payout).where(Payout.person_id == person_id).order_by(Payout.id.desc()).limit(PAGE + 1)
    if before is not None:
        query = query.where(Payout.id < before)
    rows = list(db.session.scalars(query))
    return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None


@blueprint.post("/set-up/")
@roles_required("reader")
@limited(MONEY)
def set_up() -> ResponseReturnValue:
    """To Stripe's page where the reader tells who they are; the account is opened first, once."""
    try:
        return to_stripe()
    except VendorError as error:
        return page(error.status, failure=error.detail)


def to_stripe() -> ResponseReturnValue:
    """The same for whoever may have an account, applicants among them. Raises StripeUnavailable, StripeRefused."""
    person = require_person()
    with transaction():
        begun = payout_accounts.begin(person.id, clock.now())
    told = payout_accounts.ask_stripe(begun, person.email)
    with transaction():
        account = payout_accounts.record(person.id, told, clock.now())
    return redirect(payout_accounts.link(account), 303)


def _home() -> str:
    """Where one's account at Stripe is shown: applicants have one before they are readers. Raises Forbidden for others."""
    person = require_person()
    if "reader" in person.roles:
        return url_for("payouts.show")
    if applications.of(person.id) is None:
        raise Forbidden("This page is for readers, and for those who apply.")
    return url_for("applications.show")


@blueprint.get("/continue/")
@limited(MONEY)
def go_on() -> ResponseReturnValue:
    """Where Stripe leads when a link of theirs is used up: on with a fresh one."""
    home = _home()
    account = payout_accounts.of(require_person().id)
    if account is None or account.stripe_account_id is None:
        return redirect(home, 303)
    try:
        return redirect(payout_accounts.link(account), 303)
    except VendorError as error:
        flash(error.detail, "error")
        return redirect(home, 303)


@blueprint.get("/returned/")
@limited(MONEY)
def returned() -> ResponseReturnValue:
    """Where Stripe leads back to: ask what it knows now, since its event may come later."""
    home, person_id = _home(), require_person().id
    account = payout_accounts.of(person_id)
    if account is not None and account.stripe_account_id is not None:
        try:
            told = payout_accounts.ask_stripe(account, None)
            with transaction():
                payout_accounts.record(person_id, told, clock.now())
        except VendorError:
            flash(
                "Stripe did not answer yet. This page shows what it tells us as soon as it does.", "warning"
            )
    return redirect(home, 303)


@blueprint.post("/request/")
@roles_required("reader")
@limited(MONEY)
def ask() -> ResponseReturnValue:
    """Begin a payout of all that is available; the same form sent twice begins one."""
    key = request.form.get("request_key", "")
    try:
        with transaction():
            begun = payouts.begin(
                require_person().id,
                clock.now(),
                origin="request",
                key=f"page:{key}" if _REQUEST_KEY.fullmatch(key) else None,
            )
    except PayoutRefused as error:
        return page(error.status, failure=error.detail)
    return redirect(url_for("payouts.statement", payout_id=begun.id), 303)


def _owned(payout_id: int) -> Payout:
    found = db.session.scalars(
        select(Payout).where(Payout.id == payout_id, Payout.person_id == require_person().id)
    ).one_or_none()
    if found is None:
        raise NotFound()
    return found


@blueprint.get("/<int:payout_id>/")
@roles_required("reader")
def statement(payout_id: int) -> ResponseReturnValue:
    """One payout with a line for each reading."""
    found = _owned(payout_id)
    lines = statements.lines(found)
    total = sum((line.amount for line in lines), statements.NOTHING)
    return render_template("payouts/statement.html", payout=found, lines=lines, total=total)


@blueprint.get("/<int:payout_id>/statement.csv")
@roles_required("reader")
def statement_csv(payout_id: int) -> ResponseReturnValue:
    """The same lines as CSV."""
    found = _owned(payout_id)
    return _download(statements.lines_csv(found, statements.lines(found)), f"soulseer-payout-{found.id}.csv")


@blueprint.get("/years/")
@roles_required("reader")
def years() -> ResponseReturnValue:
    """Totals by calendar year of the reader's time zone, for taxes."""
    person = require_person()
    return render_template("payouts/years.html", years=statements.years(person.id, person.time_zone))


@blueprint.get("/years.csv")
@roles_required("reader")
def years_csv() -> ResponseReturnValue:
    """The same totals as CSV."""
    person = require_person()
    found = statements.years(person.id, person.time_zone)
    return _download(statements.years_csv(found, person.time_zone), "soulseer-payouts-by-year.csv")


def _download(body: str, name: str) -> Response:
    return Response(
        body,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
