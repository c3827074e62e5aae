"""POST /ringing/{id}/decline/: the no to a ring as a form, for the dashboard without scripts. GET /readings/check/: the
device check before one rings anybody."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints import room_calls
from soulseer.blueprints.access import require_person
from soulseer.domain import clock
from soulseer.domain.errors import Gone, IllegalMove
from soulseer.domain.readings import Modality
from soulseer.services import ringing_answers
from soulseer.services.readers import SLUG

blueprint = Blueprint("ringing", __name__)


@blueprint.post("/ringing/<int:session_id>/decline/")
def decline(session_id: int) -> ResponseReturnValue:
    """Decline and go back to the dashboard. Raises NotFound, NotParticipant, Forbidden for the client."""
    try:
        room_calls.move(ringing_answers.decline, session_id, require_person().id, clock.now())
        flash("You declined. The client was told, and nothing was charged.", "information")
    except (Gone, IllegalMove) as over:
        # Answered elsewhere, or nobody waits any more: the dashboard shows how it stands.
        flash(over.detail, "information")
    return redirect(url_for("dashboard.show") + "?as=reader", 303)


@blueprint.get("/readings/check/")
def check() -> ResponseReturnValue:
    """``?modality=`` voice or video (which it is for anything else); ``?reader=`` is the slug that leads back."""
    slug = request.args.get("reader", "")
    known = SLUG.fullmatch(slug) is not None
    return render_template(
        "readings/check.html",
        modality="voice" if request.args.get("modality") == Modality.VOICE else "video",
        waits=True,
        reader=slug if known else None,
        back=url_for("readers.show", slug=slug) if known else url_for("readers.browse"),
        back_words="Back to the reader" if known else "Find a reader",
    )
