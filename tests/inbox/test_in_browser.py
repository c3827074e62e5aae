"""Replaying in a real browser: from the list to the event, with a reason, by mouse and keyboard alone."""

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from tests import factories
from tests.admin.conftest import sign_in
from tests.browsers import listen
from tests.inbox.test_replay import WHY, set_aside
from tests.money_in.conftest import Sandbox
from tests.money_in.events import wallet_of, work

pytestmark = pytest.mark.browser


def shot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look at it."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", [1280, 820])
def test_finance_replays_an_event(sandbox: Sandbox, app: Flask, chromium: Browser, width: int) -> None:
    _, person_id = set_aside(sandbox)
    cookie = sign_in(app, factories.person("finance").id).get_cookie("soulseer")
    assert cookie is not None
    context = chromium.new_context(
        base_url=sandbox.product, viewport={"width": width, "height": 900}, reduced_motion="reduce"
    )
    context.add_cookies([{"name": "soulseer", "value": cookie.value, "url": sandbox.product}])
    page = context.new_page()
    complaints: list[str] = []
    listen(page, complaints)

    page.goto("/admin/webhooks/?status=quarantined")
    expect(page.get_by_text("Replay all…")).to_be_visible()
    shot(page, f"inbox-{width}")
    page.get_by_role("link", name=re.compile(r"^\d+$")).first.click()
    expect(page.get_by_role("heading", name="What it is about")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_text("Replay…").click()
    page.locator("form[action*=replay]").get_by_label("Reason").fill(WHY)
    shot(page, f"event-{width}")
    page.get_by_role("button", name="Replay it").click()
    expect(page.get_by_text("is put back")).to_be_visible()
    assert work()["processed"] == 1
    page.reload()
    expect(page.get_by_text("Replay…")).to_have_count(0)
    assert wallet_of(person_id) == Decimal("25.00")
    context.close()
    assert complaints == []
