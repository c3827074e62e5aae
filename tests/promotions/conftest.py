"""Staff with a browser, as for the rest of the console."""

from tests.admin.conftest import browser  # noqa: F401 - a fixture
