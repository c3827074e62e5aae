"""POST /ringing/{id}/decline/: the no to a ring as a form, for the dashboard without scripts."""

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints import room_calls
from soulseer.blueprints.access import require_person
from soulseer.domain import clock
from soulseer.domain.errors import Gone, IllegalMove
from soulseer.services import ringing_answers

blueprint = Blueprint("ringing", __name__, url_prefix="/ringing")


@blueprint.post("/<int:session_id>/decline/")
def decline(session_id: int) -> ResponseReturnValue:
    """Decline and go back to the dashboard. Raises NotFound, NotParticipant, Forbidden for the client."""
    try:
        room_calls.move(ringing_answers.decline, session_id, require_person().id, clock.now())
        flash("You declined. The client was told, and nothing was charged.", "information")
    except (Gone, IllegalMove) as over:
        # Answered elsewhere, or nobody waits any more: the dashboard shows how it stands.
        flash(over.detail, "information")
    return redirect(url_for("dashboard.show") + "?as=reader", 303)
