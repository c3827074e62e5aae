"""The product and the stand-in as for top-ups; pieces that several tests here take."""

from tests.money_in.conftest import product, sandbox  # noqa: F401 - fixtures
