"""The gallery on a port of its own, and a Chromium to look at it."""

import os
import shutil
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
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
def gallery_browser() -> Iterator[Browser]:
    """A headless Chromium; skips where there is none, unless REQUIRE_BROWSER is set."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None and os.environ.get("REQUIRE_BROWSER") != "1":
        pytest.skip("no Chromium is installed: the pages were not looked at")
    assert path, "REQUIRE_BROWSER is set and no Chromium is installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
