"""The console in a real browser: no violation of the CSP, nothing wider than the window, axe-core content, things work."""

import threading
import uuid
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from soulseer.services import console_actions
from tests import factories
from tests.admin.conftest import sign_in
from tests.admin.world import build
from tests.browsers import listen

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
WHY = "Looking at it in a browser"
pytestmark = pytest.mark.browser


@pytest.fixture
def address(migrated_app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, migrated_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page(chromium: Browser, address: str, app: Flask) -> Iterator[Page]:
    """An administrator's window; what its console complains of fails the test."""
    cookie = sign_in(app, factories.person("admin").id).get_cookie("soulseer")
    assert cookie is not None
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "soulseer", "value": cookie.value, "url": address}])
    window = context.new_page()
    complaints: list[str] = []
    listen(window, complaints)
    yield window
    context.close()
    assert complaints == []


def test_every_page_at_a_desk_and_on_a_tablet(page: Page) -> None:
    world = build()
    told: list[Any] = []
    for width in (1280, 820):
        page.set_viewport_size({"width": width, "height": 900})
        for path in [path for paths in world.pages().values() for path in paths]:
            if "/suggest/" in path:
                continue  # a part that the search box puts into the page
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            if width < 1000:
                continue
            page.evaluate(AXE.read_text("utf-8"))
            found = page.evaluate("axe.run(document)")["violations"]
            told += [
                (path, width, rule["id"], [node["html"] for node in rule["nodes"]][:3]) for rule in found
            ]
    assert told == []


def test_filters_pages_and_changes_work(page: Page) -> None:
    world = build()
    page.goto("/admin/sessions/")
    page.select_option("#filter-state", "active")
    page.fill("#filter-since", "2026-11-20")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**state=active**")
    assert page.locator(".col-id a").all_inner_texts() == [str(world.live)]
    page.get_by_role("link", name=str(world.live), exact=True).click()
    page.get_by_text("End this reading").click()
    page.locator("form[action$='/end/']").get_by_label("Reason").fill(WHY)
    page.get_by_role("button", name="End it now").click()
    page.get_by_text(f"Reading {world.live} has ended.").wait_for()
    assert "staff ended" in page.locator("main").inner_text()


def test_the_run_that_was_asked_for_shows_itself_when_it_is_over(page: Page, app: Flask) -> None:
    from soulseer.jobs import runner

    page.goto("/admin/jobs/close_lost_runs/")
    page.locator("form[action$='/run/']").get_by_label("Reason").fill(WHY)
    page.get_by_role("button", name="Ask for the run").click()
    page.get_by_text("No worker has begun it yet").wait_for()
    key = uuid.UUID(page.url.rstrip("/").rsplit("/", 1)[1])
    slot = console_actions.console_jobs.slot_of_request(key)
    Context().run(_run, app, runner.Request("close_lost_runs", slot=slot, triggered_by=1, reason=WHY))
    page.get_by_text("It is over").wait_for(timeout=10_000)
    page.locator("#asked").get_by_role("link").click()
    page.wait_for_url("**/admin/runs/*/")
    assert WHY in page.locator("main").inner_text()


def _run(app: Flask, request: Any) -> None:
    from soulseer.jobs import runner

    with app.app_context():
        runner.run(request)


def test_the_search_goes_by_keyboard(page: Page) -> None:
    first, second = (factories.person(handle=handle) for handle in ("quartz-one", "quartz-two"))
    page.goto("/admin/dashboard/")
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Search everything")
    expect(field).to_be_focused()
    page.keyboard.type("quartz")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="quartz-two")).to_have_attribute("aria-selected", "true")
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate("axe.run(document)")["violations"] == []
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/admin/people/{second.id}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("quartz-o")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/search/?q=quartz-o")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/admin/people/{first.id}/")
