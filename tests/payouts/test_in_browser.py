"""The pages of payouts in a real browser, on the phone and on the desk: accessible, no wider than the window, clean console."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium

from config.settings import REPOSITORY
from soulseer.db import transaction
from soulseer.services import payout_accounts
from tests.money_in.browser import signed_in
from tests.payouts.payday import SOON, PaidReader, sweep
from tests.payouts.world import LATER, Reader

pytestmark = pytest.mark.browser
SIZES = {"phone": (390, 844), "desk": (1280, 900)}
AXE = REPOSITORY / "node_modules/axe-core/axe.min.js"


def busy(sandbox) -> PaidReader:
    """A reader with a refused payout, one that came back in part, one that is paid, and more to come."""
    reader = PaidReader(sandbox, "40.00")
    reader.post("transfers", outcome="refuse")
    reader.begin()
    sweep(LATER)
    reader.post("transfers", outcome="succeed")
    gift = reader.earn("60.00")
    reader.take_back("12.50", transaction_id=gift)
    reader.release()
    reader.take_back("3.00")
    reader.begin(SOON)
    sweep(SOON)
    reader.earn("80.00", SOON)
    reader.release(SOON + timedelta(days=8))
    reader.earn("20.00", SOON)
    return reader


def looked_at(chromium: Chromium, app, sandbox, reader_id: int, path: str, size: str, name: str) -> None:
    browser = signed_in(app, sandbox, reader_id)
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height})
    try:
        context.add_cookies([{"name": "soulseer", "value": browser.cookie, "url": sandbox.product}])
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda told: said.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(sandbox.product + path, wait_until="networkidle")
        if os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"{name}-{size}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document)")["violations"]
        assert [(item["id"], [node["html"][:200] for node in item["nodes"]]) for item in found] == []
        assert said == []
    finally:
        context.close()


@pytest.mark.parametrize("size", SIZES)
def test_a_busy_reader(app, sandbox, chromium, size) -> None:
    reader = busy(sandbox)
    paid = reader.payouts[-1].id
    for path, name in (
        ("/payouts/", "payouts"),
        (f"/payouts/{paid}/", "statement"),
        (f"/payouts/{reader.payouts[0].id}/", "failed"),
        ("/payouts/years/", "years"),
        ("/dashboard/", "dashboard"),
    ):
        looked_at(chromium, app, sandbox, reader.id, path, size, name)


@pytest.mark.parametrize("size", SIZES)
def test_a_new_and_a_paused_reader(app, sandbox, chromium, size) -> None:
    fresh = Reader()
    looked_at(chromium, app, sandbox, fresh.id, "/payouts/", size, "fresh")
    paused = PaidReader(sandbox, "40.00")
    paused.post(f"accounts/{paused.account}/require", past_due=["external_account", "individual.id_number"])
    paused.refresh()
    looked_at(chromium, app, sandbox, paused.id, "/payouts/", size, "due")
    with transaction():
        payout_accounts.pause(paused.id, "A payout came back; please check your bank details.", LATER)
    looked_at(chromium, app, sandbox, paused.id, "/payouts/", size, "paused")


def test_a_statement_on_paper_is_ink_on_white(app, sandbox, chromium) -> None:
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    browser = signed_in(app, sandbox, reader.id)
    context = chromium.new_context(viewport={"width": 794, "height": 1123})
    try:
        context.add_cookies([{"name": "soulseer", "value": browser.cookie, "url": sandbox.product}])
        page = context.new_page()
        page.emulate_media(media="print")
        page.goto(f"{sandbox.product}/payouts/{payout_id}/", wait_until="networkidle")
        if os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / "paper.png", full_page=True)
        assert page.locator(".site-head").is_hidden()
        assert page.locator("text=Download as CSV").is_hidden()
        ink, paper = page.evaluate(
            "[getComputedStyle(document.querySelector('.money')).color, getComputedStyle(document.documentElement).backgroundColor]"
        )
        assert (ink, paper) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")
    finally:
        context.close()
