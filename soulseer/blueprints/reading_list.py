"""GET /readings/list/: a person's reading sessions, in one role at a time."""

from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.domain.readings import Role
from soulseer.services import dashboards

blueprint = Blueprint("reading_list", __name__)

ROW_IDS_END = 2**63


@blueprint.get("/readings/list/")
def show() -> ResponseReturnValue:
    """Newest first, twenty a page; ``?role=client`` or ``reader`` where a person is both."""
    person = require_person()
    roles = [role for role in (Role.READER, Role.CLIENT) if role.value in person.roles] or [Role.CLIENT]
    role = next((role for role in roles if role.value == request.args.get("role")), roles[0])
    text = request.args.get("before", "")
    known = text.isascii() and text.isdigit() and len(text) < 20 and int(text) < ROW_IDS_END
    before = int(text) if known else None
    lines, following = dashboards.sessions(person.id, role, before)
    here: dict[str, Any] = {"role": role.value} if len(roles) > 1 else {}
    return render_template(
        "dashboard/readings.html",
        sessions=lines,
        role=role,
        roles=roles,
        next_url=url_for("reading_list.show", **here, before=following) if following else None,
        first_url=url_for("reading_list.show", **here) if before else None,
    )


@blueprint.app_template_global("room_path")
def room_path(reading_session_id: int) -> str:
    """The address of a reading: the room, afterwards the receipt (contract, HTTP)."""
    return f"/readings/{reading_session_id}/"
