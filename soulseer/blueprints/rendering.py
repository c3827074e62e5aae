"""What every template may use: the filters ``money`` and ``instant``, ``wallet_balance``, ``sandbox``, ``csp_nonce``."""

from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from flask import Flask, g, has_request_context, request, url_for
from flask.templating import Environment
from flask_login import current_user
from markupsafe import Markup

from soulseer import gateways
from soulseer.blueprints.api_types import ApiJson
from soulseer.blueprints.security import csp_nonce
from soulseer.db import has_written
from soulseer.domain import clock
from soulseer.gateways.board import NOTHING, Notices
from soulseer.services import promotions
from soulseer.services.people import SignedIn
from soulseer.services.promotions import Holding

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class TemplateEnvironment(Environment):
    """Flask's, with plain globals: Jinja lays a ChainMap over them for templates that bring globals of their own (ours
    never do), and walks through it at every import of a component, a dozen times a page."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return super().make_globals(d) if d else self.globals


def init_rendering(app: Flask, *, sandbox: bool) -> None:
    """Register filters, context and the JSON form of money and instants."""
    app.json = ApiJson(app)
    app.jinja_env.filters["money"] = money
    app.jinja_env.filters["instant"] = instant
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.jinja_env.globals["house_notices"] = house_notices
    app.jinja_env.globals["url_for"] = fixed_addresses()
    app.jinja_env.globals["reader_card"] = drawn(app.jinja_env, "components/readers.html", "reader_card")
    app.jinja_env.globals["nav_links"] = drawn(app.jinja_env, "components/navigation.html", "nav_links")

    @app.context_processor
    def everywhere() -> dict[str, Any]:
        return {"sandbox": sandbox, "wallet_balance": wallet_balance()}


def drawn(environment: Environment, template: str, macro: str) -> Callable[..., Markup]:
    """The macro of a template, each outcome kept by its arguments' values: for what looks the same to many people (a
    reader's card, the places that a client may go). The arguments are values that never change, read anew each time."""

    @lru_cache(maxsize=4096)
    def draw(_root: str, *values: Any) -> Markup:
        return Markup(getattr(environment.get_template(template).module, macro)(*values))  # noqa: S704 - it is escaped

    return lambda *values: draw(request.root_path, *values)


def fixed_addresses() -> Callable[..., str]:
    """``url_for`` for templates. What leads to the same address on every page (no values, or a static file) is built
    once: a page's frame has some twenty of them, and each costs as much as a row of a table."""
    kept: dict[tuple[str, str, str | None], str] = {}

    def address(endpoint: str, **values: Any) -> str:
        fixed = not values or (endpoint == "static" and values.keys() == {"filename"})
        if not fixed or endpoint.startswith(".") or not has_request_context():
            return url_for(endpoint, **values)
        key = (request.root_path, endpoint, values.get("filename"))
        found = kept.get(key)
        if found is None:
            found = kept[key] = url_for(endpoint, **values)
        return found

    return address


@lru_cache(maxsize=4096)
def money(amount: Decimal) -> str:
    """``$1,234.50``; a fall is ``−$1.99``."""
    sign = "−" if amount < 0 else ""
    return f"{sign}${abs(amount):,.2f}"


def instant(value: datetime | None) -> Markup:
    """A <time> element that the page's script shows in the browser's own time zone; empty for None."""
    if value is None:
        return Markup("")
    value = value.astimezone(UTC)
    words = f"{value.day} {MONTHS[value.month - 1]} {value.year}, {value.hour:02}:{value.minute:02} UTC"
    # Digits and names of months: nothing to escape, which Markup.format would do at twenty times the price.
    return Markup(f'<time datetime="{value.isoformat()[:-6]}Z" data-local>{words}</time>')  # noqa: S704


def house_notices() -> Notices:
    """What every page tells at once; costs no SQL. An error's page asks nobody."""
    return NOTHING if g.get("rendering_error") else gateways.current().presence.board.read()


def wallet_balance() -> Decimal | None:
    """What the header shows to a signed-in client on a whole page: all that can be spent. None for all others."""
    if g.get("rendering_error") or not request or request.headers.get("HX-Request"):
        return None
    person = current_user._get_current_object()
    if not person.is_authenticated or "client" not in person.roles:
        return None
    return holding_of(person).spendable


def holding_of(person: SignedIn) -> Holding:
    """The caller's own wallet and promotional credit: as read at sign-in, in the same statement, unless this request
    has written since."""
    if has_written():
        return promotions.holding(person.id, clock.now())
    return Holding(person.wallet or promotions.ZERO, person.promotional, person.next_expiry)


def wallet_of(person: SignedIn) -> Decimal:
    """The balance of the caller's own wallet, dollars: their cash, without promotional credit."""
    return holding_of(person).cash
