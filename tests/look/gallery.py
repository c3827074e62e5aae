"""The macros and the frame on pages of their own: a small Flask app with no database, under the strict CSP.

``python -m tests.look.gallery [PORT]`` serves it for the eye: /, /gallery, /room?level=ring|low, /error/404,
each with ?as=client, reader or admin and &sandbox=1.
"""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from flask import Blueprint, Flask, flash, g, render_template, request
from flask_login import AnonymousUserMixin, LoginManager, UserMixin
from flask_wtf import CSRFProtect
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from soulseer.blueprints.rendering import drawn

ROOT = Path(__file__).resolve().parents[2]
POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
NOW = datetime(2026, 11, 20, 18, 4, tzinfo=UTC)
PLACES = {
    "readers": {"browse": "/readers/browse/", "show": "/readers/<slug>/"},
    "reading_list": {"show": "/readings/list/"},
    "wallet": {"show": "/wallet/"},
    "membership": {"show": "/membership/"},
    "dashboard": {"show": "/dashboard/"},
    "applications": {"show": "/apply/"},
    "auth": {"login": "/login", "logout": "/logout"},
    "admin": {"index": "/admin/dashboard/"},
}


class Person(UserMixin):  # type: ignore[misc]
    """Whom base.html greets. No reader who is online: nothing rings here."""

    online = waits = False

    def __init__(self, handle: str, *roles: str) -> None:
        self.id = self.handle = handle
        self.roles = frozenset(roles)


class Nobody(AnonymousUserMixin):  # type: ignore[misc]
    """A visitor, for whom nothing rings either."""

    online = waits = False


PEOPLE = {
    "client": Person("quiet-otter", "client"),
    "reader": Person("luna", "reader"),
    "admin": Person("moth-at-noon", "client", "admin"),
}


def reader(
    slug: str, name: str, headline: str, average: str | None, count: int, **rates: str
) -> SimpleNamespace:
    """A reader as reader_card wants one; a single rate means busy."""
    return SimpleNamespace(
        slug=slug,
        display_name=name,
        headline=headline,
        online=True,
        busy=len(rates) == 1,
        image_url=None,
        free_minutes=0,
        rating_average=Decimal(average) if average else None,
        rating_count=count,
        rates=[{"modality": modality, "rate": Decimal(rate)} for modality, rate in rates.items()],
    )


READERS = [
    reader("luna", "Luna Vale", "Three cards, plain words. I ask before I answer.", "4.8", 127,
           text="1.99", voice="2.99", video="3.99"),
    reader("orin", "Orin", "Birth charts and transits.", "4.2", 1, voice="4.50"),
    reader("mara", "Mara of the Long Valley", "Mediumship, gently.", None, 0, text="2.25", voice="2.25"),
]  # fmt: skip


def create_gallery() -> Flask:
    """The app; undefined names in a template raise."""
    app = Flask("gallery", static_folder=str(ROOT / "soulseer" / "static"))
    own = FileSystemLoader([str(ROOT / "templates"), str(Path(__file__).with_name("templates"))])
    app.jinja_loader = ChoiceLoader([own])
    app.jinja_env.undefined = StrictUndefined
    app.config.update(SECRET_KEY="gallery" * 10, SEND_FILE_MAX_AGE_DEFAULT=0)
    CSRFProtect(app)
    login = LoginManager(app)
    login.anonymous_user = Nobody
    login.request_loader(lambda seen: PEOPLE.get(seen.args.get("as", "")))
    app.add_template_filter(lambda amount: f"{'−' if amount < 0 else ''}${abs(amount):,.2f}", "money")
    app.add_template_filter(
        lambda at: Markup('<time datetime="{}" data-local>{}</time>').format(
            at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%d %b %Y, %H:%M UTC")
        ),
        "instant",
    )
    app.jinja_env.globals["nav_links"] = drawn(app.jinja_env, "components/navigation.html", "nav_links")
    components = app.jinja_env.get_template("components/readers.html")
    app.jinja_env.globals["reader_card"] = lambda *values: components.module.reader_card(*values)
    app.jinja_env.globals["house_notices"] = lambda: SimpleNamespace(billing_stopped_at=None)
    app.context_processor(context)
    app.before_request(looks_as_themselves)
    app.after_request(under_policy)
    for name, rules in PLACES.items():
        blueprint = Blueprint(name, __name__)
        for endpoint, rule in rules.items():
            blueprint.add_url_rule(rule, endpoint, lambda **_: "elsewhere", methods=["GET", "POST"])
        app.register_blueprint(blueprint)
    front = Blueprint("front", __name__)
    front.add_url_rule("/", "index", index)
    app.register_blueprint(front)
    app.add_url_rule("/gallery", view_func=gallery)
    app.add_url_rule("/room", view_func=room)
    app.add_url_rule("/error/<int:status>", view_func=error)
    return app


def context() -> dict[str, object]:
    """What every page may read."""
    has_wallet = request.args.get("as") in ("client", "admin")
    return {
        "sandbox": request.args.get("sandbox") == "1",
        "wallet_balance": Decimal("42.07") if has_wallet else None,
    }


def looks_as_themselves() -> None:
    """No member of staff sees a page as somebody else here."""
    g.viewing = None


def under_policy(response):  # type: ignore[no-untyped-def]
    """The site's Content-Security-Policy."""
    response.headers["Content-Security-Policy"] = POLICY
    return response


def index() -> str:
    """The front page; ?none=1: nobody is online."""
    return render_template("front/index.html", readers=[] if request.args.get("none") else READERS)


def gallery() -> str:
    """Every macro once."""
    flash("Your wallet was topped up by $25.00.", "success")
    flash("Your card was declined.", "error")
    return render_template("gallery.html", readers=READERS, D=Decimal, now=NOW)


def room() -> str:
    """The room; level: "", low, ring."""
    return render_template("room.html", D=Decimal, now=NOW, level=request.args.get("level", ""))


def error(status: int) -> tuple[str, int]:
    """The error page with its own words."""
    return render_template("errors/error.html", status=status), status


if __name__ == "__main__":
    create_gallery().run(port=int(sys.argv[1]) if len(sys.argv) > 1 else 5999)
