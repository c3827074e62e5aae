"""One running site for each file of tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.identity.site import Site, running_site


@pytest.fixture(scope="module")
def served(migrated_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory: Path = tmp_path_factory.mktemp("issuer")
    with running_site(directory) as site:
        yield site


@pytest.fixture
def site(served: Site, empty: None) -> Site:
    """The product over HTTP on empty tables."""
    return served
