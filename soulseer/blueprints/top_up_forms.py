"""The form that tops up from a room: drawn once for each choice of packages, then filled with what is a person's own."""

import uuid
from decimal import Decimal
from functools import lru_cache

from flask import current_app, request
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup, escape

from soulseer.domain import policies

# Stand in the drawn form for what differs; no text of ours or of anybody's holds a NUL.
_TOKEN, _KEY, _PATH = "\0token\0", "\0key\0", "\0path\0"


def top_up_form(missing: Decimal | None, return_path: str, *, new_tab: bool = False) -> Markup:
    """Packages that cover ``missing`` dollars (None: all) and an amount of one's own, each to Stripe's checkout and back
    to ``return_path``; ``new_tab``: the page stays where it is."""
    policy = policies.current().top_up
    packages = tuple(package for package in policy.packages if missing is None or package >= missing)
    minimum = policy.minimum if missing is None else max(policy.minimum, missing)
    form = _drawn(request.root_path, packages, minimum, policy.maximum, new_tab)
    own = ((_TOKEN, generate_csrf()), (_KEY, str(uuid.uuid4())), (_PATH, str(escape(return_path))))
    for place, value in own:
        form = form.replace(place, value)
    return Markup(form)  # noqa: S704 - drawn by Jinja; the path is escaped, token and key are letters and digits


@lru_cache(maxsize=256)
def _drawn(
    _root: str, packages: tuple[Decimal, ...], minimum: Decimal, maximum: Decimal, new_tab: bool
) -> str:
    module = current_app.jinja_env.get_template("readings/_top_up.html").module
    choice = {"packages": packages, "minimum": minimum, "maximum": maximum, "key": _KEY}
    return str(module.top_up_form(choice, _PATH, token=_TOKEN, new_tab=new_tab))  # type: ignore[attr-defined]
