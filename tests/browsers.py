"""The one Chromium of a test run, and listening to what a page complains of."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a device check or a prompt, for the calls that are to come.
ARGUMENTS = ("--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium, one for all tests of this worker (two cannot run in one process). Skips the test with a
    notice where there is none; fails where REQUIRE_BROWSER=1."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("REQUIRE_BROWSER is set and no Chromium is installed")
        pytest.skip(
            "NO CHROMIUM IS INSTALLED: the journeys in a browser were not made (apt install chromium)"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def listen(page: Page, complaints: list[str]) -> None:
    """Note every error on the page's console, and every exception that nobody caught."""
    page.on(
        "console",
        lambda said: complaints.append(f"{page.url}: {said.text}") if said.type == "error" else None,
    )
    page.on("pageerror", lambda fault: complaints.append(f"{page.url}: {fault}"))
