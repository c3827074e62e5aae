"""/wallet/promotional-credit/: the client's grants, what is left of each and until when."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.blueprints.rendering import holding_of
from soulseer.domain import clock
from soulseer.services import promotions

blueprint = Blueprint("promotions", __name__, url_prefix="/wallet/promotional-credit")

SHOWN = 50


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """The newest grants, newest first."""
    person = require_person()
    return render_template(
        "wallet/promotions.html",
        held=holding_of(person),
        grants=promotions.of_person(person.id, SHOWN),
        shown=SHOWN,
        now=clock.now(),
    )
