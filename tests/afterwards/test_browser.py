"""In a real browser, on the phone and on the desk: a tip, a review with its answer, a heart, the public page; axe-core on each."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from config.settings import REPOSITORY
from soulseer.db import db
from soulseer.models.people import Person
from soulseer.models.readings import ReadingReceipt
from tests.afterwards.conftest import books_are_clean
from tests.pages.test_in_browser import address, window  # noqa: F401

pytestmark = pytest.mark.browser
AXE = REPOSITORY / "node_modules/axe-core/axe.min.js"
# Where pictures go, if anybody wants some.
PICTURES = os.environ.get("PICTURES")


def look(page: Page, name: str) -> None:
    """No violation, nothing wider than the window; a picture where wanted."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document)")["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == [], name
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, name
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_after_a_reading(finished, window, size: str) -> None:  # noqa: F811
    room = finished()
    code = db.session.scalar(select(ReadingReceipt.code))
    client, reader = room.client, db.session.get_one(Person, room.reader.person_id)
    page = window(client, size)
    page.goto(f"/readings/{room.id}/")
    look(page, f"{size}-receipt")
    page.locator('input[name="choice"][value="10.00"]').check()
    expect(page.get_by_label("Your amount")).to_be_hidden()
    page.get_by_role("button", name="Give the tip").click()
    expect(page.get_by_text("gets $7.00 of your $10.00", exact=False).first).to_be_visible()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("button", name="Keep")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("4 stars").check()
    page.get_by_label("Your words").fill("Kind and clear.\n\n<b>Really.</b>")
    page.get_by_role("button", name="Publish the review").click()
    expect(page.get_by_text("<b>Really.</b>")).to_be_visible()
    look(page, f"{size}-profile")
    page.goto("/readers/favourites/")
    expect(page.locator(".reader-card")).to_have_count(1)
    look(page, f"{size}-favourites")
    page.goto("/readings/list/?name=reader&least=1")
    expect(page.locator(".session-name")).to_have_count(1)
    look(page, f"{size}-history")

    theirs = window(reader, size)
    theirs.goto(f"/readings/{room.id}/")
    theirs.get_by_label("Your answer").fill("Thank you, come again.")
    theirs.get_by_role("button", name="Publish the answer").click()
    expect(theirs.get_by_role("button", name="Change the answer")).to_be_visible()
    look(theirs, f"{size}-readers-receipt")

    anybody = window(None, size)
    anybody.goto(f"/readers/{room.reader.slug}/?sort=highest")
    expect(anybody.get_by_text("Thank you, come again.")).to_be_visible()
    anybody.goto("/receipts/")
    anybody.get_by_label("The receipt’s code").fill(code.lower())
    anybody.get_by_role("button", name="Check").click()
    expect(anybody.get_by_text("This receipt is genuine")).to_be_visible()
    look(anybody, f"{size}-verify")
    books_are_clean()
