"""/readings/{id}/review/: the client's review of a finished reading, to be changed for a while; the reader's answer."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import InvalidInput
from soulseer.services import reviews

blueprint = Blueprint("reviews", __name__, url_prefix="/readings/<int:reading_session_id>/review")


@blueprint.get("/")
def show(reading_session_id: int) -> ResponseReturnValue:
    """The form, with what was written before. Refused to anybody but the client, and before or after its time."""
    reading = reviews.reviewable(reading_session_id, require_person().id, clock.now())
    values = {"stars": reading.stars, "body": reading.body}
    return render_template("readers/review.html", reading=reading, values=values, errors={})


@blueprint.post("/")
def write(reading_session_id: int) -> ResponseReturnValue:
    """Write it, or change it; a second one for the same reading, where the first may not be changed, is refused (409)."""
    person, now = require_person(), clock.now()
    reading = reviews.reviewable(reading_session_id, person.id, now)
    stars, body = request.form.get("stars", ""), request.form.get("body", "")
    # Which of the two was meant, as the form says: two windows never overwrite one another unseen.
    keep = reviews.edit if request.form.get("change") == "1" else reviews.write
    try:
        with transaction():
            keep(reading_session_id, person.id, stars, body, now)
    except InvalidInput as fault:
        values = {"stars": stars, "body": body}
        page = render_template(
            "readers/review.html", reading=reading, values=values, errors={fault.field: [fault.detail]}
        )
        return page, 422
    flash(f"Thank you. Your review of {reading.reader_name} is on their page.", "success")
    return redirect(url_for("readers.show", slug=reading.reader_slug, _anchor="reviews"), 303)


@blueprint.post("/answer/")
def answer(reading_session_id: int) -> ResponseReturnValue:
    """The reader's answer, public below the review. What cannot be taken is said on the receipt."""
    person = require_person()
    try:
        with transaction():
            reviews.answer(reading_session_id, person.id, request.form.get("answer", ""), clock.now())
        flash("Your answer stands below the review.", "success")
    except InvalidInput as fault:
        flash(f"Your answer was not taken. {fault.detail}", "error")
    return redirect(url_for("readings.show", session_id=reading_session_id, _anchor="review"), 303)
