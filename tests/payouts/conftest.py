"""The product and the Stripe stand-in over real HTTP, as the tests of money in have them."""

from tests.money_in.conftest import product, sandbox, statements, stripe_server  # noqa: F401
