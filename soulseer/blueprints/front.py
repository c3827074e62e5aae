"""GET /: the front page with those who are here now."""

from flask import Blueprint, render_template

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
