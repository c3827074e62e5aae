"""The form that tops up, in the wallet and in a room: drawn once for each choice of packages, then filled with what is a person's own."""

import uuid
from decimal import Decimal
from functools import lru_cache
from typing import Any

from flask import current_app, request
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup, escape

from soulseer.domain import policies

# Stand in the drawn form for what differs; no text of ours or of anybody's holds a NUL.
_TOKEN, _KEY, _PATH = "\0token\0", "\0key\0", "\0path\0"


def top_up_form(
    missing: Decimal | None,
    return_path: str,
    *,
    key: str = "",
    new_tab: bool = False,
    save_card: bool = False,
    typed: str = "",
    errors: tuple[str, ...] = (),
) -> Markup:
    """Packages that cover ``missing`` dollars (None: all) and an amount of one's own, each to Stripe's checkout and back
    to ``return_path``. ``key`` is the form's own (empty: a fresh one); ``new_tab``: the page stays where it is;
    ``save_card`` offers to keep the card; ``typed`` and ``errors`` are of the amount."""
    policy = policies.current().top_up
    packages = tuple(package for package in policy.packages if missing is None or package >= missing)
    minimum = policy.minimum if missing is None else max(policy.minimum, missing)
    draw = _draw if typed or errors else _drawn
    form = draw(request.root_path, packages, minimum, policy.maximum, new_tab, save_card, typed, errors)
    own = ((_TOKEN, generate_csrf()), (_KEY, key or str(uuid.uuid4())), (_PATH, return_path))
    for place, value in own:
        form = form.replace(place, str(escape(value)))
    return Markup(form)  # noqa: S704 - drawn by Jinja, and what is filled in is escaped


def _draw(
    _root: str,
    packages: tuple[Decimal, ...],
    minimum: Decimal,
    maximum: Decimal,
    new_tab: bool,
    save_card: bool,
    typed: str,
    errors: tuple[str, ...],
) -> str:
    module: Any = current_app.jinja_env.get_template("readings/_top_up.html").module
    choice = {"packages": packages, "minimum": minimum, "maximum": maximum, "key": _KEY}
    form = module.top_up_form(choice, _PATH, _TOKEN, new_tab, save_card, typed, list(errors))
    return str(form)


_drawn = lru_cache(maxsize=256)(_draw)
