"""The product and the stand-in as for top-ups, staff with a browser as for the console."""

from tests.admin.conftest import browser  # noqa: F401 - a fixture
from tests.money_in.conftest import product, sandbox, stripe_server  # noqa: F401 - fixtures
