"""Errors at the door: pages for people, fragments for HTMX, ``application/problem+json`` for programs."""

from typing import Any

import structlog
from flask import (
    Flask,
    Response,
    current_app,
    g,
    got_request_exception,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.routing import BuildError

from soulseer.blueprints.access import VENDOR_ENDPOINTS, is_api
from soulseer.blueprints.limits import retry_after
from soulseer.domain.errors import InvalidInput, InvalidToken, NotSignedIn, SoulSeerError

log = structlog.get_logger(__name__)

CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 408: "timeout", 413: "too_large",
         414: "too_long", 415: "unsupported_media_type", 429: "rate_limited", 431: "too_large"}  # fmt: skip
AWAY = "The site cannot reach its database right now. Nothing was changed; please try again shortly."
BROKEN = "The fault is ours and has been noted. Nothing was charged twice; please try again."


def init_errors(app: Flask) -> None:
    """Register the handlers; together they catch everything."""
    app.register_error_handler(SoulSeerError, refused)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, broken)


def wants_json() -> bool:
    """Whether the caller is a program."""
    if is_api() or request.endpoint in VENDOR_ENDPOINTS or request.path == "/openapi.json":
        return True
    accepts = request.accept_mimetypes
    best = accepts.best_match(
        ["text/html", "application/json", "application/problem+json"], default="text/html"
    )
    return best != "text/html" and accepts[best] > accepts["text/html"]


def refused(error: SoulSeerError) -> ResponseReturnValue:
    """An error of our own tree."""
    if error.status >= 500:
        log.error("request_failed", code=error.code, detail=error.detail, exc_info=error)
    if isinstance(error, NotSignedIn) and not wants_json():
        return sign_in_instead()
    if error.code == "transfer_not_allowed":
        # What it says is about our books, not about the caller.
        return answer(500, error.code, error.title, BROKEN)
    response = answer(error.status, error.code, error.title, error.detail, **error.extra)
    if isinstance(error, NotSignedIn):
        reason = ' error="invalid_token"' if isinstance(error, InvalidToken) else ""
        response.headers["WWW-Authenticate"] = f'Bearer realm="soulseer"{"," if reason else ""}{reason}'
    if error.status == 503:
        response.headers["Retry-After"] = "10"
    return response


def sign_in_instead() -> ResponseReturnValue:
    """Send a browser to the sign-in page, and back afterwards where that is a page."""
    if request.headers.get("HX-Request"):
        response = Response(status=401)
        response.headers["HX-Redirect"] = url_for("auth.login")
        return response
    if request.method not in ("GET", "HEAD"):
        return redirect(url_for("auth.login"))
    query = request.query_string.decode("latin-1")
    return redirect(url_for("auth.login", next=f"{request.path}?{query}" if query else request.path))


def http_error(error: HTTPException) -> ResponseReturnValue:
    """What Flask and its extensions refuse: unknown address, wrong method, too large, too often, forged."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    if isinstance(error, RateLimitExceeded):
        response = answer(
            429, "rate_limited", "A little slower, please", "Too many requests in a short time."
        )
        response.headers["Retry-After"] = str(retry_after())
        return response
    if isinstance(error, CSRFError):
        detail = "This page was open for too long or came from elsewhere. Reload it and try again."
        return answer(
            400, "csrf_failed", "The request could not be trusted", detail, reason=error.description
        )
    if isinstance(error, SecurityError) and not wants_json():
        # A host that is not ours: no page, since no link can be built.
        return Response("This host is not served here.\n", 400, content_type="text/plain; charset=utf-8")
    code = CODES.get(error.code, f"http_{error.code}")
    response = answer(error.code, code, error.name, error.description if wants_json() else None)
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def broken(error: Exception) -> ResponseReturnValue:
    """Everything else: logged with its traceback, reported, and told without detail."""
    if isinstance(error, DataError):
        # The database could not take a value that slipped past the forms: the caller's input, but our gap.
        log.error("value_refused_by_database", exc_info=error)
        return refused(InvalidInput("", "A value that was sent cannot be stored."))
    got_request_exception.send(current_app._get_current_object(), exception=error)  # type: ignore[attr-defined]
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        log.error("database_unavailable", exc_info=error)
        response = answer(503, "database_unavailable", "Back in a moment", AWAY)
        response.headers["Retry-After"] = "5"
        return response
    log.error("request_broke", exc_info=error)
    return answer(500, "internal_error", "Something broke on our side", BROKEN)


def answer(status: int, code: str, title: str, detail: str | None, **extra: Any) -> Response:
    """The error in the caller's form."""
    action = {name: extra.pop(name) for name in ("action_url", "action_label") if name in extra}
    if wants_json():
        return problem(status, code, title, detail or title, **extra)
    if request.headers.get("HX-Request"):
        return Response(page("errors/fragment.html", title=title, detail=detail or title), status)
    # The page has its own words for plain HTTP errors.
    own_words = code in CODES.values()
    return Response(
        page("errors/error.html", status=status, title=None if own_words else title, detail=detail, **action),
        status,
    )


def problem(status: int, code: str, title: str, detail: str, **extra: Any) -> Response:
    """RFC 9457, with our stable ``code``; ``extra`` (missing, field…) never hides the standard members."""
    members = {
        "type": f"/docs#error-{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    response = jsonify({**extra, **members, "request_id": g.get("request_id")})
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def page(template: str, **variables: Any) -> str:
    """Render without asking who is signed in: the database may be what is missing."""
    from soulseer.blueprints.identity import Anonymous

    g.rendering_error = True
    if "_login_user" not in g:
        g._login_user = Anonymous()
    try:
        return render_template(template, reference=g.get("request_id"), **variables)
    except BuildError:
        # A link of the frame leads nowhere: better a plain word than no answer.
        log.warning("error_page_is_plain", exc_info=True)
        return f"{variables.get('status', '')} {variables.get('title') or 'This request was refused.'}\n"
