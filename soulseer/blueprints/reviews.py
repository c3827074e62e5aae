"""GET and POST /readings/{id}/review/: the client's review of a finished reading."""

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
    """The form. Refused to anybody but the client, and before or after its time."""
    reading = reviews.reviewable(reading_session_id, require_person().id)
    return render_template("readers/review.html", reading=reading, values={}, errors={})


@blueprint.post("/")
def write(reading_session_id: int) -> ResponseReturnValue:
    """Write it; the second one for the same reading is refused with 409."""
    person = require_person()
    reading = reviews.reviewable(reading_session_id, person.id)
    stars, body = request.form.get("stars", ""), request.form.get("body", "")
    try:
        with transaction():
            reviews.write(reading_session_id, person.id, stars, body, clock.now())
    except InvalidInput as fault:
        values = {"stars": stars, "body": body}
        page = render_template(
            "readers/review.html", reading=reading, values=values, errors={fault.field: [fault.detail]}
        )
        return page, 422
    flash(f"Thank you. Your review of {reading.reader_name} is on their page.", "success")
    return redirect(url_for("readers.show", slug=reading.reader_slug, _anchor="reviews"), 303)
