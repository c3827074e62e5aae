"""How the back office writes instants, ages, amounts and links: exact, in UTC, to the second, as logs do."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Flask, current_app, url_for
from flask_login import current_user
from markupsafe import Markup, escape

from soulseer.admin import permissions

DASH = Markup('<span class="muted" aria-label="none">–</span>')


def init_formats(app: Flask) -> None:
    """Register the filters of the console's templates."""
    app.jinja_env.filters.update(moment=moment, age=age, duration=duration)
    app.jinja_env.globals.update(place=place, place_link=link)


def moment(value: datetime | None, beside: datetime | None = None) -> Markup:
    """``2026-11-20 12:03:27``, UTC; the time alone on the day of ``beside``; a dash for None."""
    if value is None:
        return DASH
    at = value.astimezone(UTC)
    same_day = beside is not None and at.date() == beside.astimezone(UTC).date()
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat().replace("+00:00", "Z"), at.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")
    )


def duration(value: timedelta | float | None) -> str:
    """``4 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``; the number is in seconds."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = int(seconds)
    for size, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{whole} s"


def age(since: datetime | None, now: datetime) -> str:
    """How long ago ``since`` is."""
    return "–" if since is None else duration(now - since)


def money(amount: Decimal | None, sign: bool = False) -> Markup:
    """An amount as the component macro draws it."""
    return macro("components/data.html", "money")(amount, sign)


def badge(state: str, kind: str | None = None) -> Markup:
    """A state in its own word; ``kind`` good, warning, danger or information, by the word where it is not given."""
    return macro("admin/parts.html", "state")(state, kind)


def macro(template: str, name: str) -> Any:
    """A macro of a component file that needs no context."""
    return getattr(current_app.jinja_env.get_template(template).module, name)


def place(page: str, id: int | None = None, **arguments: Any) -> str | None:
    """The address of a page of the console, or of one thing on it; None where this person may not see it."""
    if not permissions.may_see(page, current_user.roles):
        return None
    view = "index_view" if id is None else "details_view"
    if id is not None:
        arguments["id"] = id
    return url_for(f"admin_{page}.{view}", **arguments)


def link(page: str, text: object, id: int | None = None, **arguments: Any) -> Markup:
    """``text`` as a link to a page of the console; without the link where this person may not see it."""
    if text is None or text == "":
        return DASH
    address = place(page, id, **arguments)
    return Markup('<a href="{}">{}</a>').format(address, text) if address else escape(text)
