"""One running product and one Chromium for all journeys; a window for each person."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.product import Product, running
from tests.e2e.window import Window

expect.set_options(timeout=10_000)


@pytest.fixture(scope="session")
def product(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Asked for after the browser: without one nothing needs to be started."""
    with running(tmp_path_factory.mktemp("product") / "var") as found:
        yield found


@pytest.fixture
def window(
    chromium: Browser, product: Product, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Window]]:
    """Open a window for a person; where the test fails, a picture of each is kept in the test's own folder."""
    opened: list[Window] = []

    def open_window(name: str, size: tuple[int, int] = (1280, 900)) -> Window:
        context = chromium.new_context(
            base_url=product.url,
            viewport={"width": size[0], "height": size[1]},
            locale="en-GB",
            timezone_id="Asia/Tokyo",
        )
        opened.append(Window(name, context))
        return opened[-1]

    folder: Path = request.getfixturevalue("tmp_path")
    failed_before = request.session.testsfailed
    yield open_window
    for one in opened:
        if request.session.testsfailed > failed_before:
            one.page.screenshot(path=folder / f"{one.name}.png")
        one.context.close()
