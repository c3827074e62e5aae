"""Who may come in: every route needs a signed-in person unless it stands in PUBLIC_ENDPOINTS (a test walks the map)."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from flask import current_app, g, request
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect

from soulseer.domain.errors import Forbidden, NotSignedIn, Suspended
from soulseer.services.people import SignedIn

# Routes that ask nobody who they are. Vendors prove themselves by a signature, /metrics by its own rule.
PUBLIC_ENDPOINTS = frozenset(
    {
        "static",
        "health.healthz",
        "health.readyz",
        "metrics.show",
        "auth.login",
        "auth.callback",
        "auth.logout",
        "openapi.document",
        "openapi.reference",
        "front.index",
        "front.static_of_before",
        "readers.browse",
        "readers.show",
        "receipts.ask",
        # By the code in an author's mail: a suspended person cannot sign in.
        "safety.decision",
        "safety.appeal",
        "receipts.verify",
        "receipts.keys",
        "stripe_webhook.receive",
        "agora_webhook.receive",
    }
)
# Signed by their vendor, posted by no browser: the only routes without CSRF protection.
VENDOR_ENDPOINTS = frozenset({"stripe_webhook.receive", "agora_webhook.receive"})


def is_api() -> bool:
    """Whether a program (or our own page's script) is calling."""
    return request.path.startswith("/api/")


def bearer_token() -> str | None:
    """The bearer token of an API call, None where there is none; then, and only then, the cookie speaks."""
    if not is_api():
        return None
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def require_person() -> SignedIn:
    """The signed-in person. Raises NotSignedIn (InvalidToken), Suspended."""
    person = current_user._get_current_object()
    if person.is_authenticated:
        return cast(SignedIn, person)
    if g.get("suspended"):
        raise Suspended("This account is suspended. Write to support if you think that this is a mistake.")
    raise NotSignedIn()


def roles_required(*roles: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a view be called by holders of one of ``roles`` only. Raises NotSignedIn, Forbidden."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not require_person().roles & set(roles):
                raise Forbidden(f"This page is for people with the role {' or '.join(roles)}.")
            return view(*args, **kwargs)

        return guarded

    return decorate


def require_sign_in() -> None:
    """Before each request: nobody passes a route that is not public without being signed in."""
    if request.endpoint and request.endpoint not in PUBLIC_ENDPOINTS and request.method != "OPTIONS":
        require_person()


def protect_from_forgery() -> None:
    """Before each request: the CSRF token, unless no cookie speaks for anybody. Raises CSRFError."""
    if not request.endpoint or request.endpoint in VENDOR_ENDPOINTS:
        return
    if is_api() and (bearer_token() is not None or not current_user.is_authenticated):
        # A bearer token is never sent by a browser on its own; without either, the answer is 401.
        return
    csrf: CSRFProtect = current_app.extensions["csrf"]
    csrf.protect(apply_exemptions=True)
