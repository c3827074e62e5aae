"""GET /dashboard/reader/ and its forms: the online switch, rates, the words of the profile."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person, roles_required
from soulseer.db import transaction
from soulseer.domain import clock, policies
from soulseer.domain.errors import InvalidInput
from soulseer.domain.readings import Modality
from soulseer.services import free_minutes, reader_settings
from soulseer.services.reader_settings import LONGEST, SeveralFaults

blueprint = Blueprint("reader_settings", __name__, url_prefix="/dashboard/reader")


@blueprint.get("/")
@roles_required("reader")
def show() -> ResponseReturnValue:
    """Rates and words as they stand."""
    return page(require_person().id)


@blueprint.post("/online/")
@roles_required("reader")
def set_online() -> ResponseReturnValue:
    """Turn the switch: ``online`` is 1 or 0."""
    wanted = request.form.get("online", "")
    if wanted not in ("0", "1"):
        raise InvalidInput("online", "Say 1 to go online and 0 to go offline.")
    with transaction():
        reader_settings.set_online(require_person().id, wanted == "1", clock.now())
    words = (
        "You are online. Stay on the site: a client may ring at any moment."
        if wanted == "1"
        else "You are offline."
    )
    flash(words, "success")
    return redirect(url_for("dashboard.show") + "?as=reader", 303)


@blueprint.post("/rates/")
@roles_required("reader")
def set_rates() -> ResponseReturnValue:
    """``text_offered``, ``text_rate``…: readings that run keep their rate."""
    person = require_person()
    typed = {m: (f"{m}_offered" in request.form, request.form.get(f"{m}_rate", "")) for m in Modality}
    try:
        with transaction():
            reader_settings.set_rates(person.id, typed, clock.now())
    except SeveralFaults as faults:
        return page(person.id, rates=typed, errors=faults.errors), 422
    flash("Your rates are saved. They apply to readings asked for from now on.", "success")
    return redirect(url_for("reader_settings.show"), 303)


@blueprint.post("/free-minutes/")
@roles_required("reader")
def set_free_minutes() -> ResponseReturnValue:
    """``free_minutes``: so many first ones are free for new clients, 0 for none."""
    person = require_person()
    typed = request.form.get("free_minutes", "")
    try:
        with transaction():
            free_minutes.offer(person.id, typed, clock.now())
    except InvalidInput as fault:
        return page(person.id, errors={fault.field: fault.detail}), 422
    words = "Your offer is saved." if typed != "0" else "You offer no free minutes."
    flash(f"{words} It applies to readings asked for from now on.", "success")
    return redirect(url_for("reader_settings.show"), 303)


@blueprint.post("/profile/")
@roles_required("reader")
def set_texts() -> ResponseReturnValue:
    """The words that clients read."""
    person = require_person()
    typed = {name: request.form.get(name, "") for name in LONGEST}
    try:
        with transaction():
            reader_settings.set_texts(person.id, typed)
    except SeveralFaults as faults:
        return page(person.id, texts=typed, errors=faults.errors), 422
    flash("Your profile is saved.", "success")
    return redirect(url_for("reader_settings.show"), 303)


def free_choices() -> list[tuple[int, str]]:
    """(minutes, words) that a reader may offer; none where the setting allows none."""
    most = policies.current().waiting.most_free_minutes
    counted = [(number, f"{number} minute{'s' if number > 1 else ''}") for number in range(1, most + 1)]
    return [(0, "None"), *counted] if most else []


def page(person_id: int, *, rates: Any = None, texts: Any = None, errors: Any = None) -> str:
    """The page, with what was typed in place of what is kept."""
    profile = reader_settings.own_profile(person_id)
    kept = {
        o.modality: (o.offered, "" if o.rate is None else str(o.rate))
        for o in reader_settings.offers(person_id)
    }
    return render_template(
        "dashboard/reader_settings.html",
        profile=profile,
        rates=rates or kept,
        texts=texts or {name: getattr(profile, name) for name in LONGEST},
        errors={name: [fault] for name, fault in (errors or {}).items()},
        longest=LONGEST,
        lowest=reader_settings.LOWEST_RATE,
        highest=reader_settings.HIGHEST_RATE,
        free_choices=free_choices(),
    )
