"""What every request passes and every answer carries: request id, HTTPS, input guard, headers, access log."""

import re
import secrets
import time
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, abort, g, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.routing import IntegerConverter, ValidationError

from soulseer.blueprints.access import VENDOR_ENDPOINTS, is_api
from soulseer.db import read_singly, read_together
from soulseer.domain.errors import InvalidInput
from soulseer.services import metrics

log = structlog.get_logger("soulseer.access")

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
CSP = "Content-Security-Policy"
CHECKOUT, BILLING = "https://checkout.stripe.com", "https://billing.stripe.com"
CONNECT = "https://connect.stripe.com"
# Agora's firewall list: both domains, on many ports.
_AGORA = " ".join(
    f"{scheme}://*.{domain}:*" for scheme in ("https", "wss") for domain in ("agora.io", "sd-rtn.com")
)
AGORA_SOURCES = {
    "connect-src": f"'self' {_AGORA}",
    "worker-src": "'self' blob:",
    "media-src": "'self' blob:",
}
PROBES = ("health.healthz", "health.readyz")
FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The own site needs the referrer (CSRF over HTTPS checks it); others learn nothing.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), fullscreen=(self), picture-in-picture=(self), "
    "geolocation=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RowId(IntegerConverter):
    """``<int:…>``: what fits a bigint; anything else is no such address (and never reaches the database)."""

    regex = r"[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        number = int(super().to_python(value))
        if number >= 2**63:
            raise ValidationError
        return number


def init_security(
    app: Flask,
    *,
    base_url: str,
    issuer: str,
    stripe_api_base: str,
    production: bool,
    transport: str = "webrtc",
) -> None:
    """``base_url``, ``issuer`` and ``stripe_api_base`` are addresses; forms may lead to the latter two's origins.
    ``transport`` of the calls: Agora's SDK connects to Agora and runs a worker of its own making."""
    app.url_map.converters["int"] = RowId
    https = base_url.startswith("https://")
    targets = {origin(issuer), origin(stripe_api_base) or CHECKOUT, CHECKOUT, BILLING, CONNECT} - {""}
    policy = {
        "default-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        **(AGORA_SOURCES if transport == "agora" else {}),
        "object-src": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        # Chrome applies it to redirects after a POST too: sign-out leads to the issuer, a top-up to the checkout.
        "form-action": " ".join(["'self'", *sorted(targets)]),
    }

    fixed = {**FIXED_HEADERS, CSP: policy_text(policy)}
    if https:
        fixed["Strict-Transport-Security"] = "max-age=31536000"

    @app.before_request
    def begin() -> ResponseReturnValue | None:
        g.began = time.perf_counter()
        read_singly()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        if production and not request.is_secure and request.endpoint not in PROBES:
            return redirect(base_url + request.full_path.rstrip("?"), 308)
        refuse_nul_bytes()
        return None

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        read_together()

    @app.after_request
    def finish(response: Response) -> Response:
        person = g.get("_login_user")
        add_headers(
            response,
            fixed if "csp_nonce" not in g else {**fixed, CSP: policy_text(with_nonce(policy))},
            for_one=is_api() or getattr(person, "is_authenticated", False),
        )
        seconds = time.perf_counter() - g.get("began", time.perf_counter())
        metrics.count_request(request.endpoint or "none", request.method, response.status_code, seconds)
        log.info(
            "request",
            method=request.method,
            # The path alone: a query may carry a sign-in code.
            path=request.path,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
            person=getattr(person, "id", None),
            address=request.remote_addr,
        )
        return response


def add_headers(response: Response, fixed: dict[str, str], *, for_one: bool) -> None:
    """Add ``fixed`` where the view has set nothing itself; what is ``for_one`` person is kept by no cache."""
    # Gathered first and added at once: every look-up in the headers reads through all of them.
    given = {name.lower() for name, _ in response.headers}
    added = [(name, value) for name, value in fixed.items() if name.lower() not in given]
    if not for_one and response.mimetype == "text/html" and "cache-control" not in given:
        added.append(("Cache-Control", "no-cache"))
    ours = {"X-Request-Id": g.get("request_id", "")}
    # A private file's own door says that the person's browser may keep it.
    if for_one and not response.headers.get("Cache-Control", "").startswith("private"):
        ours["Cache-Control"] = "no-store"
    for name in ours:
        if name.lower() in given:
            del response.headers[name]
    response.headers.extend([*added, *ours.items()])


def origin(url: str) -> str:
    """Scheme, host and port of an address; empty for none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def csp_nonce() -> str:
    """This answer's nonce for one script or style that must stand in the page (the back office's own)."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def policy_text(policy: dict[str, str]) -> str:
    """The header's value."""
    return "; ".join(f"{name} {value}" for name, value in policy.items())


def with_nonce(policy: dict[str, str]) -> dict[str, str]:
    """The policy of an answer that asked for a nonce."""
    allowed = f"'self' 'nonce-{g.csp_nonce}'"
    return {**policy, "script-src": allowed, "style-src": allowed}


def refuse_nul_bytes() -> None:
    """PostgreSQL's text cannot hold NUL. Raises InvalidInput that names the field; 404 for an address."""
    if "\0" in request.path:
        abort(404)
    if request.endpoint in VENDOR_ENDPOINTS:
        # Their bodies are read, limited and judged by their own views.
        return
    for values in (request.args, request.form):
        for name, value in values.items(multi=True):
            if "\0" in name or "\0" in value:
                raise InvalidInput(name.replace("\0", ""), "This holds a character that cannot be stored.")
