"""The bell in a real browser: on any page, in every tab, on the phone and on the desk."""

import re

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.people import Person
from soulseer.services import readings
from tests import factories
from tests.e2e.window import AXE
from tests.pages.test_in_browser import address, window  # noqa: F401

pytestmark = pytest.mark.browser


def rung(client: Person) -> int:
    with transaction():
        return readings.request(client.id, "luna", "voice", clock.now()).id


def state_of(session_id: int) -> tuple[str, str | None]:
    db.session.rollback()
    found = readings.glance(session_id)
    return found.state, found.end_reason


def bar(page: Page):
    return page.locator("[data-ring-bar]")


@pytest.fixture
def people(app: Flask) -> tuple[Person, Person]:
    client = factories.person(wallet="50.00", handle="clara")
    reader = factories.reader("2.99", slug="luna")
    return client, db.session.get_one(Person, reader.person_id)


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_a_ring_on_any_page_takes_no_focus_and_stops_in_every_tab(people, window, size: str) -> None:  # noqa: F811
    client, reader = people
    page = window(reader, size)
    page.goto("/readers/browse/")
    other = page.context.new_page()
    other.goto("/wallet/")
    page.bring_to_front()
    search = page.get_by_label("Search")
    search.click()
    title = page.title()
    session_id = rung(client)
    for tab in (page, other):
        expect(bar(tab)).to_be_visible(timeout=12_000)
        expect(bar(tab)).to_contain_text("clara rings")
        expect(bar(tab)).to_contain_text("A voice reading at $2.99 a minute.")
    search.press_sequentially("tarot")
    expect(search).to_have_value("tarot")
    expect(page).to_have_title(re.compile("clara rings"))
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document)")["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.keyboard.press("Alt+Shift+D")
    for tab in (page, other):
        expect(bar(tab)).to_be_hidden()
    expect(page).to_have_title(title)
    assert state_of(session_id) == ("ended", "declined")


def test_the_bell_sounds_in_one_tab_and_is_muted_in_all(people, window) -> None:  # noqa: F811
    client, reader = people
    page = window(reader)
    page.context.add_init_script(
        """globalThis.struck = 0;
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function (...when) { globalThis.struck += 1; return start.apply(this, when); };"""
    )
    page.goto("/readers/browse/")
    other = page.context.new_page()
    for tab in (other, page):
        tab.goto("/readers/browse/")
        tab.bring_to_front()
        tab.locator("h1").click()
    rung(client)
    for tab in (page, other):
        expect(bar(tab)).to_be_visible(timeout=12_000)
    page.wait_for_timeout(3000)  # longer than from one strike to the next
    struck = [tab.evaluate("struck") for tab in (page, other)]
    assert sorted(map(bool, struck)) == [False, True], struck
    bar(page).get_by_role("button", name="Mute the bell").click()
    for tab in (page, other):
        expect(bar(tab).get_by_role("button", name="The bell is muted")).to_have_attribute(
            "aria-pressed", "true"
        )
    page.reload()
    expect(bar(page).get_by_role("button", name="The bell is muted")).to_be_visible(timeout=6000)
