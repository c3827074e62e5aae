"""/readers/favourites/ and POST /readers/{slug}/favourite/: readers whom one keeps at hand."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import InvalidInput
from soulseer.services import favourites, readers, top_ups

blueprint = Blueprint("favourites", __name__, url_prefix="/readers")

ROW_IDS_END = 2**63


@blueprint.get("/favourites/")
def show() -> ResponseReturnValue:
    """One's own, the last kept first."""
    text = request.args.get("before", "")
    known = text.isascii() and text.isdigit() and len(text) < 20 and int(text) < ROW_IDS_END
    before = int(text) if known else None
    cards, following = readers.kept_by(require_person().id, before)
    return render_template(
        "readers/favourites.html",
        readers=cards,
        next_url=url_for("favourites.show", before=following) if following else None,
        first_url=url_for("favourites.show") if before else None,
    )


@blueprint.post("/<slug>/favourite/")
def keep(slug: str) -> ResponseReturnValue:
    """Keep the reader (``on=1``) or no longer. Our script wants no page back, a form is led back to where it was."""
    person, on = require_person(), request.form.get("on") == "1"
    with transaction():
        if on:
            favourites.keep(person.id, slug, clock.now())
        else:
            favourites.let_go(person.id, slug)
    if request.accept_mimetypes.best == "application/json":
        return {"favourite": on}
    try:
        back = top_ups.local_path(request.form.get("return_path", ""))
    except InvalidInput:
        back = url_for("readers.show", slug=slug)
    return redirect(back, 303)
