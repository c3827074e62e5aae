"""The servers are started once for all of these tests."""

from collections.abc import Iterator

import pytest

from tests.sandbox.cross_check.servers import Server, running


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    with running(tmp_path_factory.mktemp("cross_check")) as made:
        yield made
