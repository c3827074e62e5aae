"""/readers/{slug}/waiting/: the part of a reader's page for those who wait, and its forms; POST /waiting/seen/."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import POLL, limited
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, InsufficientFunds, InvalidInput, NotFound, SpendingFrozen
from soulseer.services import waiting, waiting_view

blueprint = Blueprint("waiting", __name__)


@blueprint.get("/readers/<slug>/waiting/")
@limited(POLL)
def show(slug: str) -> ResponseReturnValue:
    """Asked for by the reader's page while the reader is busy or away: one statement. Raises NotFound."""
    found = waiting_view.standing(slug, require_person().id, clock.now())
    if found is None:
        raise NotFound("There is no reader of this name.")
    return render_template("readers/_waiting.html", standing=found)


@blueprint.post("/readers/<slug>/waiting/")
def change(slug: str) -> ResponseReturnValue:
    """``deed``: join, leave, tell or untell. A refusal is said on the reader's page."""
    person, now = require_person(), clock.now()
    deeds = {
        "join": lambda: waiting.join(person.id, slug, now),
        "leave": lambda: waiting.leave(person.id, slug, now),
        "tell": lambda: waiting.tell_me(person.id, slug, now),
        "untell": lambda: waiting.do_not_tell_me(person.id, slug),
    }
    deed = request.form.get("deed", "")
    if deed not in deeds:
        raise InvalidInput("deed", "Say join, leave, tell or untell.")
    try:
        with transaction():
            deeds[deed]()
    except InsufficientFunds as refusal:
        flash(f"Your wallet does not cover the shortest reading: {refusal.detail}", "warning")
    except (Conflict, SpendingFrozen) as refusal:
        flash(refusal.detail, "warning")
    if "HX-Request" in request.headers and not request.headers.get("HX-Boosted"):
        return show(slug)
    return redirect(url_for("readers.show", slug=slug), 303)


@blueprint.post("/waiting/seen/")
def seen() -> ResponseReturnValue:
    """What the site told has been seen."""
    with transaction():
        waiting.seen(require_person().id)
    return "", 204
