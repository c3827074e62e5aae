"""Windows of applicants and staff at one instant, and a storage for their files."""

from collections.abc import Callable

import pytest

from soulseer.domain import clock
from tests.admin.conftest import Browser, sign_in
from tests.factories import START
from tests.texts.conftest import shelf, stand_in, storage

__all__ = ["shelf", "stand_in", "storage"]


@pytest.fixture
def browse(app, monkeypatch) -> Callable[[int], Browser]:
    """A signed-in person's browser, with the business clock at START."""
    monkeypatch.setattr(clock, "now", lambda: START)
    return lambda person_id: Browser(sign_in(app, person_id), person_id)
