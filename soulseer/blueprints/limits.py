"""Rate limits, per person and else per address, counted in Redis; with Redis away, requests pass."""

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request
from flask_limiter import Limiter
from flask_login import current_user

from soulseer.blueprints.access import is_api
from soulseer.domain.errors import SoulSeerError

SIGN_IN, API, POLL, SIGNAL, MONEY = "sign-in", "api", "poll", "signal", "money"
# Requests a minute, for all routes of a class together. Polls are heartbeats and messages: one a second and more; signals
# set up a call: three a second until it stands.
LIMITS = {
    SIGN_IN: "20 per minute",
    API: "600 per minute",
    POLL: "240 per minute",
    SIGNAL: "300 per minute",
    MONEY: "30 per minute",
}

# Whether somebody rings: a tab that is looked at asks every three seconds, of the hidden ones only one.
RING = "ring"
LIMITS[RING] = "120 per minute"

# Pictures, each of which is decoded and written anew.
PICTURE = "picture"
LIMITS[PICTURE] = "20 per minute"
# What anybody may ask about something of which they know the code.
PUBLIC = "public"
LIMITS[PUBLIC] = "60 per minute"

View = TypeVar("View", bound=Callable[..., Any])


def limited(name: str) -> Callable[[View], View]:
    """Count calls of a view in class ``name`` of LIMITS (API routes without it count as ``api``, pages not at all)."""

    def decorate(view: View) -> View:
        view.rate_limit = name  # type: ignore[attr-defined]
        return view

    return decorate


def limit_class() -> str:
    """The class that this request counts in; empty: no limit."""
    view = current_app.view_functions.get(request.endpoint or "")
    default = API if is_api() else ""
    return getattr(view, "rate_limit", default) if view and request.method != "OPTIONS" else ""


def who() -> str:
    """Whose requests are counted together: the person's, else (nobody, or a bad token) the address's."""
    try:
        if current_user.is_authenticated:
            return f"person:{current_user.id}"
    except SoulSeerError:
        # A bad token is answered by the route's own check; here it only means: nobody we know.
        return f"address:{request.remote_addr}"
    return f"address:{request.remote_addr}"


def init_limits(app: Flask) -> None:
    """Attach the limiter, which checks before each request. Off with RATE_LIMITS=false."""
    limiter = Limiter(
        key_func=who,
        default_limits=[lambda: LIMITS[limit_class()]],
        request_identifier=limit_class,
        strategy="fixed-window",
        storage_options={"socket_connect_timeout": 1, "socket_timeout": 1},
        # With Redis away nobody is held up, and Redis is asked again with growing pauses only.
        in_memory_fallback=["1000000 per minute"],
        key_prefix="limits",
    )
    app.extensions["rate_limiter"] = limiter
    limiter.init_app(app)


def retry_after() -> int:
    """Seconds until the breached limit starts anew."""
    breached = current_app.extensions["rate_limiter"].current_limit
    return max(1, math.ceil(breached.window.reset_time - time.time())) if breached else 60
