"""Stand-ins over real HTTP, each on a port of its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from soulseer.sandbox.oidc.app import create_app
from soulseer.sandbox.oidc.settings import ProviderSettings
from soulseer.sandbox.serving import StandInServer
from tests.sandbox.stripe_bench import Bench, Receiver, running

PRODUCT = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderSettings]:
    """A running OpenID provider; its settings name the address it answers at."""
    directory: Path = tmp_path_factory.mktemp("oidc")
    settings = ProviderSettings(
        "", "product", "s3cret/with+signs", "https://api.demo.test", PRODUCT, directory
    )
    # The issuer names its own port, so the port is taken before the app is made.
    server = StandInServer(lambda environ, start_response: app(environ, start_response), 0, poll_seconds=0.02)
    settings = replace(settings, issuer=server.url)
    app = create_app(settings)
    with server:
        yield settings


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def bench(tmp_path: Path, receiver: Receiver) -> Iterator[Bench]:
    with running(tmp_path, receiver) as made:
        yield made


@pytest.fixture(scope="session")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One stand-in for tests that leave nothing behind."""
    receiver = Receiver()
    with running(tmp_path_factory.mktemp("stripe"), receiver) as made:
        yield made
    receiver.close()
