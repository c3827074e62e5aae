"""/wallet/auto-reload/: automatic top-ups and the saved card, on a page of their own."""

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import MONEY, limited
from soulseer.blueprints.rendering import holding_of
from soulseer.db import after_commit, transaction
from soulseer.domain import clock, policies
from soulseer.domain.errors import InvalidInput
from soulseer.gateways.stripe import card_words
from soulseer.services import auto_reload

blueprint = Blueprint("auto_reload", __name__, url_prefix="/wallet/auto-reload")

# What the form suggests to somebody who has never used it, dollars.
SUGGESTED = {"threshold": "10.00", "amount": "25.00", "monthly_cap": "100.00"}
AGREE = "Please tick that your card may be charged."
WHY_OFF = {
    "refused": "They were switched off because your card could not be charged.",
    "card_removed": "They were switched off when you removed your card.",
}


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """The terms, the card, and what this month came to."""
    return page()


@blueprint.post("/")
@limited(MONEY)
def switch_on() -> ResponseReturnValue:
    """Agree to the terms that were typed; the same form twice is the same terms."""
    person_id = require_person().id
    typed = {name: request.form.get(name, "") for name in auto_reload.FIELDS}
    try:
        terms = auto_reload.typed_terms(typed)
        if request.form.get("agreed") != "1":
            raise InvalidInput("agreed", AGREE)
        with transaction():
            auto_reload.switch_on(person_id, terms, clock.now())
            after_commit(auto_reload.wake)
    except InvalidInput as error:
        return page(error.status, errors={error.field: [error.detail]}, typed=typed)
    flash("Automatic top-ups are on.", "success")
    return redirect(url_for("auto_reload.show"), 303)


@blueprint.post("/off/")
@limited(MONEY)
def switch_off() -> ResponseReturnValue:
    """No more automatic top-ups; the card stays saved."""
    with transaction():
        auto_reload.switch_off(require_person().id, clock.now())
    flash("Automatic top-ups are off.", "success")
    return redirect(url_for("auto_reload.show"), 303)


@blueprint.post("/card/remove/")
@limited(MONEY)
def remove_card() -> ResponseReturnValue:
    """Forget the saved card, here at once and at Stripe right after; with it, automatic top-ups."""
    with transaction():
        if auto_reload.remove_card(require_person().id, clock.now()):
            after_commit(auto_reload.wake)
    flash("Your card is removed, and automatic top-ups are off.", "success")
    return redirect(url_for("auto_reload.show"), 303)


def page(
    status: int = 200, *, errors: dict[str, list[str]] | None = None, typed: dict[str, str] | None = None
) -> ResponseReturnValue:
    """The page, with what was typed in place of what is kept."""
    person = require_person()
    found = auto_reload.overview(person.id, person.time_zone, clock.now())
    kept = found.settings
    terms = SUGGESTED if kept is None else {name: str(getattr(kept, name)) for name in auto_reload.FIELDS}
    card = (
        None if found.card is None else card_words(found.card.card_brand or "", found.card.card_last4 or "")
    )
    body = render_template(
        "wallet/auto_reload.html",
        held=holding_of(person),
        hold=person.hold,
        found=found,
        terms=typed or terms,
        card=card,
        why_off=WHY_OFF.get((kept.off_reason if kept else None) or ""),
        single=policies.current().top_up,
        limits=policies.current().auto_reload,
        errors=errors or {},
        request_key=str(uuid.uuid4()),
    )
    return body, status
