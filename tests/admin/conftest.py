"""Staff with a browser, and a little of everything that the console shows."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.services import logins
from tests import factories


@dataclass
class Browser:
    """One person's browser: keeps the cookie, and sends the CSRF token that a page gave it."""

    client: FlaskClient
    person_id: int | None

    def get(self, path: str, **options: Any) -> Any:
        # The test's own application context would be shared with the request, and ``g`` with it.
        return Context().run(self.client.get, path, **options)

    def token(self, path: str = "/admin/dashboard/") -> str:
        """The CSRF token of a page."""
        found = re.search(r'name="csrf-token" content="([^"]+)"', self.get(path).text)
        assert found, path
        return found.group(1)

    def post(self, path: str, token: str | None = None, **form: str) -> Any:
        form = {"csrf_token": self.token() if token is None else token, **form}
        return Context().run(self.client.post, path, data=form)


def sign_in(app: Flask, person_id: int) -> FlaskClient:
    """A browser that carries a login of this person, as after the whole code flow."""
    browser = app.test_client()
    with transaction():
        login = logins.start(person_id, clock.now(), id_token=None, address=None, user_agent="test")
    with browser.session_transaction() as session:
        session["_user_id"] = str(login)
        session["_fresh"] = True
    return browser


@pytest.fixture
def browser(app: Flask) -> Callable[..., Browser]:
    """``browser("ops")``: a member of staff's; ``browser()``: nobody's."""

    def opened(*roles: str) -> Browser:
        if not roles:
            return Browser(app.test_client(), None)
        person = factories.person(*roles)
        return Browser(sign_in(app, person.id), person.id)

    return opened


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """The SQL that runs within the block, savepoints and the like left out."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
