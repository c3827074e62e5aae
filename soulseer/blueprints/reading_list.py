"""GET /readings/list/: a person's reading sessions, in one role at a time, searched; and as CSV."""

from typing import Any

from flask import Blueprint, Response, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import MONEY, limited
from soulseer.domain.readings import Role
from soulseer.services import history
from soulseer.services.people import SignedIn

blueprint = Blueprint("reading_list", __name__)

ROW_IDS_END = 2**63


@blueprint.get("/readings/list/")
def show() -> ResponseReturnValue:
    """Newest first, twenty a page; ``?role=client`` or ``reader`` where a person is both. What of a search cannot be read
    seeks nothing and says so (422)."""
    person = require_person()
    role, roles = _role(person)
    text = request.args.get("before", "")
    known = text.isascii() and text.isdigit() and len(text) < 20 and int(text) < ROW_IDS_END
    before = int(text) if known else None
    sought = history.read(request.args, person.time_zone)
    lines, following = history.found(person.id, role, sought, before)
    here: dict[str, Any] = ({"role": role.value} if len(roles) > 1 else {}) | dict(sought.values)
    page = render_template(
        "dashboard/readings.html",
        sessions=lines,
        role=role,
        roles=roles,
        values=sought.values,
        errors=sought.errors,
        csv_url=url_for("reading_list.download", **{**here, "role": role.value}),
        next_url=url_for("reading_list.show", **here, before=following) if following else None,
        first_url=url_for("reading_list.show", **here) if before else None,
    )
    return page, 422 if sought.errors else 200


@blueprint.get("/readings/list.csv")
@limited(MONEY)
def download() -> ResponseReturnValue:
    """All that the search finds, written while it is read."""
    person = require_person()
    role, _ = _role(person)
    rows = history.as_csv(person.id, role, history.read(request.args, person.time_zone))
    name = f"soulseer-readings-{role.value}.csv"
    return Response(
        stream_with_context(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _role(person: SignedIn) -> tuple[Role, list[Role]]:
    roles = [role for role in (Role.READER, Role.CLIENT) if role.value in person.roles] or [Role.CLIENT]
    return next((role for role in roles if role.value == request.args.get("role")), roles[0]), roles


@blueprint.app_template_global("room_path")
def room_path(reading_session_id: int) -> str:
    """The address of a reading: the room, afterwards the receipt (contract, HTTP)."""
    return f"/readings/{reading_session_id}/"
