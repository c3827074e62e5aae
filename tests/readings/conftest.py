"""Fixtures of test_api that other files here use as well."""

from tests.readings.test_api import scene, statements  # noqa: F401 - fixtures
