"""The product and the Stripe stand-in, each on a real HTTP server (tests/money_in)."""

from tests.money_in.conftest import product, sandbox, statements  # noqa: F401 - fixtures
