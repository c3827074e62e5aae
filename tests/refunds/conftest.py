"""The product and the Stripe stand-in on real HTTP, as for money in."""

import pytest
from sqlalchemy.orm import close_all_sessions

from tests.factories import person
from tests.money_in.conftest import product, sandbox, statements, stripe_server  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def no_session_left() -> None:
    """Nothing of an earlier test's database session is served to this one."""
    close_all_sessions()


@pytest.fixture
def support(app) -> int:
    """A member of staff who may ask for refunds."""
    return person("support").id


@pytest.fixture
def client_id(app) -> int:
    return person().id
