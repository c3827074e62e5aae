"""Signed-in browsers for the pages, and a count of SQL statements."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.people import Person
from soulseer.services import logins

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """One browser over Flask's test client; each request has an application context of its own, as in life."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, headers: dict[str, str] | None = None) -> TestResponse:
        return Context().run(self.client.get, path, headers=headers)

    def post(self, path: str, fields: dict[str, str] | None = None, *, token: bool = True) -> TestResponse:
        """Post a form, with the CSRF token of the dashboard unless ``token`` is false."""
        found = _TOKEN.search(self.get("/dashboard/").text) if token else None
        data = {**(fields or {}), **({"csrf_token": found[1]} if found else {})}
        return Context().run(self.client.post, path, data=data)


@pytest.fixture
def browser(app: Flask) -> Callable[[Person], Browser]:
    """A browser signed in as the person."""

    def sign_in(person: Person) -> Browser:
        person_id = person.id
        with transaction():
            login_id = logins.start(person_id, clock.now(), id_token=None, address=None, user_agent=None)
        client = app.test_client()
        with client.session_transaction() as session:
            session["_user_id"] = str(login_id)
            session["_fresh"] = True
        return Browser(client)

    return sign_in


@pytest.fixture
def visitor(app: Flask) -> Browser:
    """A browser of nobody in particular."""
    return Browser(app.test_client())


@pytest.fixture
def statements(app: Flask) -> Callable:
    """Collect the SQL statements run within a block."""

    @contextmanager
    def collect() -> Iterator[list[str]]:
        found: list[str] = []

        def note(_connection, _cursor, statement, _parameters, _context, _many) -> None:
            found.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield found
        finally:
            event.remove(db.engine, "before_cursor_execute", note)

    return collect
