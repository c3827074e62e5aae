"""The product and the Stripe stand-in, each on a real HTTP server (tests/money_in)."""

from tests.money_in.conftest import product, sandbox, statements, stripe_server  # noqa: F401 - fixtures
