"""Who is calling: a browser by the login in its signed cookie, a program by its bearer token."""

import uuid
from typing import NoReturn

from flask import Flask, Request, g, request
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager
from itsdangerous import URLSafeTimedSerializer

from soulseer import gateways
from soulseer.blueprints import viewing
from soulseer.blueprints.access import bearer_token
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import NotSignedIn, Suspended
from soulseer.services import logins, people, room_reads
from soulseer.services.people import SignedIn

# The hottest routes: who calls, and the session that they call about, are read at once (``g.glanced``).
ROOM_POLLS = frozenset({"api_sessions.heartbeat", "api_sessions.show", "api_texts.list_messages"})


class Anonymous:
    """Nobody we know."""

    is_authenticated = False
    is_active = False
    is_anonymous = True
    is_staff = False
    suspended = False
    id = None
    handle = ""
    email = None
    time_zone = "UTC"
    roles: frozenset[str] = frozenset()

    def get_id(self) -> None:
        return None


class CookieSessions(SecureCookieSessionInterface):
    """Flask's own, with a signer that is made once: making it for each request costs as much as reading the cookie."""

    _signer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer


def init_identity(app: Flask) -> None:
    """Attach Flask-Login: ``flask_login.current_user`` is a SignedIn or Anonymous."""
    app.session_interface = CookieSessions()
    manager = LoginManager(app)
    manager.anonymous_user = Anonymous
    # The login's row decides; a phone that changes its address stays signed in.
    manager.session_protection = None
    manager.user_loader(by_cookie)
    manager.request_loader(by_bearer_token)

    manager.unauthorized_handler(not_signed_in)


def not_signed_in() -> NoReturn:
    """What flask_login.login_required does with a stranger."""
    raise NotSignedIn()


def by_cookie(login_id: str) -> SignedIn | None:
    """Whom the cookie's login speaks for; a bearer token, where there is one, speaks instead. One statement."""
    if bearer_token() is not None:
        return None
    try:
        found = _found(uuid.UUID(login_id))
    except ValueError:
        return None
    if found is not None and found.suspended:
        g.suspended = True
        return None
    return viewing.seen_as(found) if found is not None else None


def _found(login_id: uuid.UUID) -> SignedIn | None:
    session_id = (request.view_args or {}).get("session_id")
    if request.endpoint not in ROOM_POLLS or session_id is None:
        return logins.signed_in(login_id, clock.now())
    found, g.glanced = room_reads.signed_in_to(login_id, session_id, clock.now())
    return found


def by_bearer_token(_request: Request) -> SignedIn | None:
    """Whom the bearer token speaks for; its first use makes the person. Raises InvalidToken, Suspended."""
    token = bearer_token()
    if token is None:
        return None
    now = clock.now()
    identity = gateways.current().identity.verify_bearer(token, now)
    found = people.find(identity.issuer, identity.subject, now)
    if found is None:
        with transaction():
            people.ensure(identity, now)
        found = people.find(identity.issuer, identity.subject, now)
    if found is not None and found.suspended:
        raise Suspended("This account is suspended. Write to support if you think that this is a mistake.")
    return found
