"""GET /dashboard/: what a person has now, by role; the bell of a waiting reading; the person's time zone."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import POLL, limited
from soulseer.db import transaction
from soulseer.domain.readings import Role
from soulseer.services import dashboards, preferences, reader_settings, wallets
from soulseer.services.dashboards import LiveReading
from soulseer.services.people import SignedIn

blueprint = Blueprint("dashboard", __name__, url_prefix="/dashboard")

RECENT = 5


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """One view for each role a person holds; ``?as=`` chooses, the most pressing first."""
    person = require_person()
    views = views_of(person)
    chosen = request.args.get("as", "")
    view = chosen if chosen in views else views[0]
    context: dict[str, Any] = {"views": views, "view": view}
    if view != "staff":
        live = dashboards.live_reading(person.id)
        context |= {"live": live, "shown": token(live)}
    if view == "reader":
        context |= reader_view(person.id)
    elif view == "client":
        lines, _ = dashboards.sessions(person.id, Role.CLIENT, limit=RECENT)
        context |= {"sessions": lines, "entries": wallets.overview(person.id, limit=RECENT)[0].lines}
    return render_template(f"dashboard/{view}.html", **context)


@blueprint.get("/ring/")
@limited(POLL)
def ring() -> ResponseReturnValue:
    """The live reading, asked for every three seconds: one statement; 204 while nothing has changed."""
    live = dashboards.live_reading(require_person().id)
    if request.args.get("shown") == token(live):
        return "", 204
    return render_template("dashboard/_ring.html", live=live, shown=token(live))


@blueprint.post("/time-zone/")
def set_time_zone() -> ResponseReturnValue:
    """The person's IANA time zone, from the form or from the browser's script."""
    person = require_person()
    zone = request.form.get("time_zone", "").strip()
    with transaction():
        preferences.set_time_zone(person.id, zone)
    if request.headers.get("X-Requested-With") == "script":
        return "", 204
    flash(f"Your time zone is {zone}.", "success")
    return redirect(url_for("dashboard.show"), 303)


def views_of(person: SignedIn) -> list[str]:
    """The dashboards of this person's roles."""
    held = [name for name in ("reader", "client") if name in person.roles]
    return [*held, *(["staff"] if person.is_staff else [])] or ["client"]


def token(live: LiveReading | None) -> str:
    """What of the live reading the page shows; another token, another fragment."""
    return f"{live.reading_session_id}-{live.state}-{int(live.rings)}" if live else "none"


def reader_view(person_id: int) -> dict[str, Any]:
    """What a reader's dashboard shows; with no profile (the role came first) only that."""
    profile = reader_settings.find_profile(person_id)
    if profile is None:
        return {"profile": None}
    lines, _ = dashboards.sessions(person_id, Role.READER, limit=RECENT)
    return {
        "profile": profile,
        "offers": reader_settings.offers(person_id),
        "earnings": wallets.earnings(person_id),
        "sessions": lines,
    }
