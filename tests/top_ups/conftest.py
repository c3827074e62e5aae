"""The same two servers as tests/money_in has: the product, and the stand-in of Stripe."""

from tests.money_in.conftest import product, sandbox, statements, stripe_server  # noqa: F401 - fixtures of this folder
