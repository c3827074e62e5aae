"""The client's page and the console's preview in a real browser: phone and desktop, no violation, nothing too wide."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from tests import factories
from tests.admin.conftest import sign_in
from tests.browsers import listen
from tests.money_in.conftest import Sandbox
from tests.refunds.steps import READING, TOP_UP, Source, asked, paid, reading, sent, switch

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
PICTURES = os.environ.get("REFUND_PICTURES", "")
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1280, 900)}
pytestmark = pytest.mark.browser

Opened = Callable[[int, str], Page]


@pytest.fixture
def opened(chromium: Browser, migrated_app: Flask, app: Flask) -> Iterator[Opened]:
    """``opened(person_id, "phone")``: a window of that person's; what its console complains of fails the test."""
    server = make_server("127.0.0.1", 0, migrated_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    complaints: list[str] = []
    contexts = []

    def window(person_id: int, size: str) -> Page:
        cookie = sign_in(app, person_id).get_cookie("soulseer")
        assert cookie is not None
        width, height = SIZES[size]
        context = chromium.new_context(base_url=address, viewport={"width": width, "height": height})
        context.add_cookies([{"name": "soulseer", "value": cookie.value, "url": address}])
        contexts.append(context)
        made = context.new_page()
        listen(made, complaints)
        return made

    yield window
    for context in contexts:
        context.close()
    server.shutdown()
    server.server_close()
    thread.join()
    assert complaints == []


def looked_at(page: Page, name: str) -> None:
    """Nothing is wider than the window, axe finds nothing; a picture where one is wanted."""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target)))"
    )
    assert found == [], name


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_the_clients_page(sandbox: Sandbox, opened: Opened, size: str) -> None:
    room = reading(minutes=6)
    client, support = room.client.id, factories.person("support").id
    first = paid(sandbox, client, "25.00")
    paid(sandbox, client, "10.00")
    asked(Source(READING, room.id), "3.00", support)
    asked(Source(READING, room.id), "55.00", support)
    asked(Source(TOP_UP, first.id), "4.00", support)
    sent()
    switch(sandbox, "", pending=True)
    asked(Source(TOP_UP, first.id), "2.00", support)
    sent()
    page = opened(client, size)
    page.goto("/wallet/refunds/")
    looked_at(page, f"refunds-{size}")
    page.get_by_label("Amount").fill("12")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("Please check where it goes").wait_for()
    looked_at(page, f"refunds-preview-{size}")
    page.get_by_role("button", name="Send it back").click()
    page.get_by_text("is on its way back to your card").wait_for()
    looked_at(page, f"refunds-sent-{size}")


@pytest.mark.parametrize("size", ["tablet", "desktop"])
def test_the_consoles_preview(opened: Opened, size: str) -> None:
    room = reading(minutes=6)
    support, finance = (factories.person(role).id for role in ("support", "finance"))
    page = opened(support, size)
    page.goto(f"/admin/sessions/{room.id}/")
    page.get_by_role("link", name="Refund…").click()
    page.get_by_label("Or minutes").fill("6")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("This is what would be booked").wait_for()
    looked_at(page, f"console-preview-{size}")
    page.get_by_label("Reason").fill("The reader’s connection failed throughout")
    page.get_by_role("button", name="Ask for approval").click()
    page.get_by_text("waits for a second person").wait_for()
    other = opened(finance, size)
    other.goto("/admin/refunds/?state=requested")
    looked_at(other, f"console-queue-{size}")
    other.locator("td.col-id a").first.click()
    looked_at(other, f"console-refund-{size}")
    other.locator("summary", has_text="Approve").click()
    other.get_by_label("Reason").first.fill("Checked against the timeline")
    other.get_by_role("button", name="Approve it").click()
    other.get_by_text("is settled").wait_for()
    looked_at(other, f"console-approved-{size}")
