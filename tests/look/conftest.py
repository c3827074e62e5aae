"""The gallery on a port of its own, and a Chromium to look at it."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from werkzeug.serving import make_server

from tests.look.gallery import ROOT, create_gallery


@pytest.fixture(scope="session")
def gallery_address() -> Iterator[str]:
    """Where the gallery answers. Needs the built assets."""
    assert (ROOT / "soulseer/static/build/app.css").exists(), (
        "the assets are not built: python3 dev.py assets"
    )
    server = make_server("127.0.0.1", 0, create_gallery(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(timeout=5)


@pytest.fixture(scope="session")
def gallery_browser(chromium: Browser) -> Browser:
    """A headless Chromium."""
    return chromium
