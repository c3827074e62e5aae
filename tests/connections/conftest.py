"""Fixtures of other files that this folder uses as well."""

from tests.readings.test_api import statements  # noqa: F401 - a fixture
