"""GET /leaving/?to=…&in=SESSION:NUMBER: the way out of the house for a link that stands in a message.

No open door: the address must stand in a message of a reading that the visitor was part of.
"""

from flask import Blueprint, render_template, request

from soulseer.blueprints.access import require_person
from soulseer.domain.errors import NotFound
from soulseer.services import message_links

blueprint = Blueprint("leaving", __name__, url_prefix="/leaving")


@blueprint.get("/")
def show() -> str:
    """Where the link leads, in plain letters, and the link. Raises NotFound, NotParticipant."""
    person = require_person()
    session_id, _, number = request.args.get("in", "").partition(":")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in (session_id, number)):
        raise NotFound("This link stands in no message of yours.")
    to = request.args.get("to", "")
    host = message_links.checked(int(session_id), int(number), person.id, to)
    return render_template("readings/leaving.html", to=to, host=host, session_id=int(session_id))
