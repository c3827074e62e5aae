"""/wallet/refunds/: one's refunds, each state in words, and unspent money sent back to the card it came from."""

import re
import uuid
from collections.abc import Sequence
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import MONEY, limited
from soulseer.blueprints.rendering import money
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import InvalidInput, NotWithdrawable
from soulseer.services import refund_lists, top_ups, withdrawals
from soulseer.services.withdrawals import Part

blueprint = Blueprint("refunds", __name__, url_prefix="/wallet/refunds")

PAGE = 20
_REQUEST_KEY = re.compile(r"[A-Za-z0-9-]{8,64}")
_PLACE = re.compile(r"[0-9]{1,18}")


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """What may be sent back, the form, and the list; with an amount, which payments it would go back to."""
    return page(typed=request.args.get("amount", ""))


@blueprint.post("/")
@limited(MONEY)
def withdraw() -> ResponseReturnValue:
    """Send money back; the same form sent twice is one withdrawal."""
    person_id = require_person().id
    typed, form_key = request.form.get("amount", ""), request.form.get("request_key", "")
    try:
        amount = top_ups.typed_amount(typed)
        key = f"page:{form_key}" if _REQUEST_KEY.fullmatch(form_key) else None
        if key is None:
            raise InvalidInput("request_key", "Please send the form on this page again.")
        with transaction():
            withdrawals.withdraw(person_id, amount, clock.now(), key=key)
    except (InvalidInput, NotWithdrawable) as error:
        return page(error.status, typed=typed, fault=error.detail)
    flash(f"{money(amount)} is on its way back to your card.", "success")
    return redirect(url_for("refunds.show"), 303)


def page(status: int = 200, *, typed: str = "", fault: str | None = None) -> ResponseReturnValue:
    """The whole page."""
    person_id = require_person().id
    possible = withdrawals.possible(person_id)
    amount: Decimal | None = None
    parts: Sequence[Part] = ()
    if typed and fault is None:
        try:
            amount = top_ups.typed_amount(typed)
            parts = possible.parts(amount)
        except InvalidInput as error:
            status, fault = error.status, error.detail
        except NotWithdrawable as error:
            status = error.status
    before = request.args.get("before", "")
    rows = refund_lists.of_person(
        person_id, PAGE + 1, int(before) if _PLACE.fullmatch(before) and before.isascii() else None
    )
    body = render_template(
        "refunds/show.html",
        possible=possible,
        amount=amount,
        parts=parts,
        typed=typed,
        fault=fault,
        rows=rows[:PAGE],
        older=rows[PAGE - 1].refund.id if len(rows) > PAGE else None,
        first_page=not before,
        request_key=str(uuid.uuid4()),
    )
    return body, status
