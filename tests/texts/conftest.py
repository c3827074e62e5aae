"""A storage for files over real HTTP, and the product wired to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soulseer import gateways
from soulseer.gateways.storage import StorageGateway
from soulseer.sandbox.serving import StandInServer
from soulseer.sandbox.storage.app import create_app
from soulseer.sandbox.storage.shelf import Shelf
from tests.texts.swapping import swapped

KEY_ID, SECRET, BUCKET = "sandboxkey", "a secret of the storage", "soulseer"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """What lies in the stand-in."""
    return Shelf(tmp_path / "storage")


@pytest.fixture
def stand_in(shelf: Shelf) -> Iterator[str]:
    """The address of our own storage."""
    with StandInServer(create_app(shelf, BUCKET, {KEY_ID: SECRET}), 0, poll_seconds=0.01) as server:
        yield server.url


@pytest.fixture
def storage(stand_in: str, migrated_app: object) -> Iterator[StorageGateway]:
    """The product stores its files in the stand-in."""
    gateway = StorageGateway(stand_in, KEY_ID, SECRET, BUCKET)
    with swapped(storage=gateway):
        assert gateways.current().storage is gateway
        yield gateway
