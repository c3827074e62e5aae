"""GET /login, /callback, POST /logout: OpenID Connect code flow with PKCE; the login's row is the session."""

from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

from soulseer import gateways
from soulseer.blueprints.limits import SIGN_IN, limited
from soulseer.db import transaction
from soulseer.domain import clock, policies
from soulseer.domain.errors import IssuerUnavailable, SignInFailed, SoulSeerError, Suspended
from soulseer.services import logins, metrics, people

log = structlog.get_logger(__name__)
blueprint = Blueprint("auth", __name__)

# Sign-ins begun in this browser and not yet finished, newest last: two tabs may sign in at once, and the cookie stays small.
PENDING, MOST_PENDING = "pending_sign_ins", 3
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@blueprint.get("/login")
@limited(SIGN_IN)
def login() -> ResponseReturnValue:
    """To the issuer, and back to ``next``, a path of this site; ``anew`` also who is signed in, with a second factor."""
    target = local_path(request.args.get("next")) or "/dashboard/"
    anew = request.args.get("anew") == "1"
    if current_user.is_authenticated and not anew:
        return redirect(target)
    hint = request.args.get("login_hint", "")
    begun = gateways.current().identity.start(
        callback_url(), hint if 0 < len(hint) <= 254 else None, anew=anew
    )
    pending = [*session.get(PENDING, []), [begun.state, begun.nonce, begun.code_verifier, target]]
    session[PENDING] = pending[-MOST_PENDING:]
    return redirect(begun.url)


@blueprint.get("/callback")
@limited(SIGN_IN)
def callback() -> ResponseReturnValue:
    """Back from the issuer: find or make the person, begin a login, forget all the session held before."""
    try:
        target = finish_sign_in()
    except SoulSeerError as error:
        metrics.SIGN_INS.labels(error.code).inc()
        raise
    metrics.SIGN_INS.labels("signed_in").inc()
    return redirect(target)


def finish_sign_in() -> str:
    """Sign in whom the issuer names; where to go next. Raises SignInFailed, Suspended, IssuerUnavailable."""
    state = request.args.get("state", "")
    pending = {begun[0]: begun[1:] for begun in session.pop(PENDING, [])}
    if state not in pending:
        raise SignInFailed(
            "This sign-in was not begun here, or has been finished already.", **again("/dashboard/")
        )
    nonce, code_verifier, target = pending[state]
    if "error" in request.args or "code" not in request.args:
        log.info("sign_in_refused_by_issuer", error=request.args.get("error", "")[:80])
        raise SignInFailed("The sign-in was cancelled. Nothing has changed.", **again(target))
    now = clock.now()
    identity, id_token = gateways.current().identity.finish(
        callback_url(), request.args["code"], nonce, code_verifier, now
    )
    with transaction():
        person_id, _ = people.ensure(identity, now)
        login_id = logins.start(
            person_id,
            now,
            id_token=id_token,
            address=request.remote_addr,
            user_agent=request.user_agent.string,
            second_factor=identity.second_factor,
        )
        if current_user.is_authenticated and current_user.login_id is not None:
            # Signed in anew: the sign-in that this browser had is over.
            logins.end(current_user.login_id, now)
        found = logins.signed_in(login_id, now)
        if found is None or found.suspended:
            raise Suspended(
                "This account is suspended. Write to support if you think that this is a mistake."
            )
    # A session that somebody planted before the sign-in must not become a signed-in one.
    session.clear()
    session.permanent = True
    login_user(found)
    return str(target)


def again(target: str) -> dict[str, Any]:
    """What the error page offers: to start once more."""
    return {"action_url": url_for("auth.login", next=target), "action_label": "Try again"}


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """End the login here, then the issuer's session; back to the front page."""
    home = own_address() + "/"
    if not current_user.is_authenticated:
        session.clear()
        return redirect(home)
    now = clock.now()
    with transaction():
        id_token = logins.end(current_user.login_id, now)
    logout_user()
    session.clear()
    try:
        return redirect(gateways.current().identity.sign_out_url(id_token, home) or home)
    except IssuerUnavailable:
        # Signed out here, which is what counts; the issuer's own session ends by itself.
        log.warning("issuer_unavailable_at_sign_out")
        return redirect(home)


def callback_url() -> str:
    """Where the issuer sends the browser back to."""
    return own_address() + url_for("auth.callback")


def own_address() -> str:
    """APP_BASE_URL; on a developer's machine the spelling of the loopback address that the browser uses."""
    configured = policies.current().app_base_url
    if policies.current().production or urlsplit(configured).hostname not in LOOPBACK:
        return configured
    host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    same_port = urlsplit(f"//{request.host}").port == urlsplit(configured).port
    return request.host_url.rstrip("/") if host in LOOPBACK and same_port else configured


def local_path(target: str | None) -> str | None:
    """``target`` if it is a path of this site, else None (never another host, however it is spelled)."""
    if not target or len(target) > 500 or not target.startswith("/") or not target.isprintable():
        return None
    if target.startswith(("//", "/\\")) or "\\" in target:
        return None
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or parts.path in ("/login", "/callback", "/logout"):
        return None
    return target
