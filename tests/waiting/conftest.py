"""Signed-in browsers, as the pages' tests have them."""

from tests.pages.conftest import browser, statements, visitor  # noqa: F401
