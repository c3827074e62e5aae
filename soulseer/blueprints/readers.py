"""GET /readers/browse/ and /readers/{slug}/: finding a reader."""

import re
from typing import Any

from flask import Blueprint, current_app, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from soulseer.blueprints.access import require_person
from soulseer.blueprints.reader_filters import read_filters
from soulseer.blueprints.rendering import holding_of
from soulseer.domain import policies
from soulseer.services import readers, reviews
from soulseer.services.readers import Profile

blueprint = Blueprint("readers", __name__, url_prefix="/readers")

ROW_IDS_END = 2**63
_PLACE = re.compile(r"([1-5])-([0-9]{1,19})")
_STARS = [str(number) for number in reviews.STARS]


@blueprint.get("/browse/")
def browse() -> ResponseReturnValue:
    """The list with its filters; for HTMX the list alone. What cannot be read filters nothing and says so (422)."""
    typed = read_filters(request.args)
    viewer_id: int | None = current_user.id if current_user.is_authenticated else None
    page = readers.browse(typed.filters, request.args.get("cursor"), viewer_id=viewer_id)
    places = {
        "next_url": url_for("readers.browse", **typed.values, cursor=page.next) if page.next else None,
        "first_url": url_for("readers.browse", **typed.values) if request.args.get("cursor") else None,
    }
    template = "readers/_list.html" if _wants_list() else "readers/browse.html"
    body = render_template(
        template,
        readers=page.readers,
        values=typed.values,
        errors=typed.errors,
        filtered=bool(typed.values),
        **places,
    )
    response = make_response(body, 422 if typed.errors else 200)
    response.vary.update(["HX-Request", "HX-History-Restore-Request"])
    return response


@blueprint.get("/<slug>/")
def show(slug: str) -> ResponseReturnValue:
    """One reader: rates, state, words and reviews, and the way into a reading."""
    viewer_id: int | None = current_user.id if current_user.is_authenticated else None
    reader = readers.profile(slug, viewer_id)
    context = {
        "reader": reader,
        **_reviews(reader),
        "own": reader.reader_id == viewer_id,
        "start_url": _start_url(),
        **_means(reader, viewer_id),
    }
    return render_template("readers/show.html", **context)


def _reviews(reader: Profile) -> dict[str, Any]:
    """The reviews asked for (?sort=, ?stars=, ?after=), where they go on, and the ways to the others. What cannot be
    read asks for nothing."""
    order = request.args.get("sort", "")
    stars = request.args.get("stars", "")
    place = _PLACE.fullmatch(request.args.get("after", ""))
    wanted = reviews.Wanted(
        order=reviews.Order(order) if order in set(reviews.Order) else reviews.Order.NEWEST,
        stars=int(stars) if stars in _STARS else None,
        after=(int(place[1]), int(place[2])) if place and int(place[2]) < ROW_IDS_END else None,
    )

    def address(**more: Any) -> str:
        named = {"sort": wanted.order.value, "stars": wanted.stars, **more}
        told = {
            name: value for name, value in named.items() if value not in (None, reviews.Order.NEWEST.value)
        }
        return url_for("readers.show", slug=reader.slug, **told, _anchor="reviews")

    lines, following = reviews.of_reader(reader.reader_id, wanted)
    return {
        "reviews": lines,
        "next_reviews": address(after=f"{following[0]}-{following[1]}") if following else None,
        "first_reviews": address() if wanted.after else None,
        "review_orders": [(one.value, address(sort=one.value), one is wanted.order) for one in reviews.Order],
        "review_stars": [
            (number, reader.stars[number - 1], address(stars=number), number == wanted.stars)
            for number in reversed(reviews.STARS)
        ],
        "all_reviews": address(stars=None) if wanted.stars else None,
    }


def _wants_list() -> bool:
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def _start_url() -> str | None:
    # The room brings its own route; without it the page shows prices only.
    return url_for("readings.start") if "readings.start" in current_app.view_functions else None


def _means(reader: Profile, viewer_id: int | None) -> dict[str, Any]:
    """What the viewer's wallet holds, and how many whole minutes it covers by modality."""
    if viewer_id is None:
        return {"balance": None, "covers": {}, "minimum_minutes": policies.current().reading.minimum_minutes}
    balance = holding_of(require_person()).spendable
    return {
        "balance": balance,
        "covers": {offer.modality: int(balance // offer.rate) for offer in reader.rates},
        "minimum_minutes": policies.current().reading.minimum_minutes,
    }
