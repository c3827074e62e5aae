"""GET /: the front page with those who are here now."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from soulseer.services import readers
from soulseer.services.readers import Filters

blueprint = Blueprint("front", __name__)

SHOWN = 6


@blueprint.get("/")
def index() -> str:
    """The best rated of the readers online."""
    return render_template(
        "front/index.html", readers=readers.browse(Filters(online=True), limit=SHOWN).readers
    )


@blueprint.get("/static/<version>/<path:filename>")
def static_of_before(version: str, filename: str) -> ResponseReturnValue:
    """Static files of an earlier deployment, for a page that was open meanwhile and asks for one more: as they are now."""
    return redirect(url_for("static", filename=filename))
