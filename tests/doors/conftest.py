"""A running site with routes that go wrong, and browsers signed in to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.services import logins
from tests import factories
from tests.doors.probes import add_probes, deeds
from tests.identity.site import Site, running_site


@pytest.fixture(scope="module")
def served(migrated_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory: Path = tmp_path_factory.mktemp("issuer")
    with running_site(directory, extend=add_probes) as site:
        yield site


@pytest.fixture
def site(served: Site, empty: None) -> Site:
    """The product over HTTP on empty tables."""
    deeds.clear()
    return served


@pytest.fixture
def visitor(site: Site) -> FlaskClient:
    """A browser that is not signed in."""
    return site.app.test_client()


@pytest.fixture
def signed_in(site: Site) -> Callable[..., FlaskClient]:
    """Make a browser of somebody with these roles."""

    def sign_in(*roles: str, wallet: str = "0.00") -> FlaskClient:
        client = site.app.test_client()
        with site.app.app_context():
            now = clock.now()
            person = factories.person(*roles, wallet=wallet)
            with transaction():
                login_id = logins.start(person.id, now, id_token=None, address=None, user_agent=None)
        with client.session_transaction() as session:
            session["_user_id"] = str(login_id)
        return client

    return sign_in
