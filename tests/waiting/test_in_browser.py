"""Waiting in a real browser: the queue on the reader's page, the turn on any other, on the phone and on the desk."""

import pytest
from flask import Flask
from playwright.sync_api import expect

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.readings import Role
from soulseer.gateways.presence import Signs
from soulseer.jobs import tend_waiting
from soulseer.jobs.context import JobContext
from soulseer.services import free_minutes, readings, ringing_answers
from soulseer.services.readings import Caller
from tests import factories
from tests.e2e.window import AXE
from tests.pages.test_in_browser import address, window  # noqa: F401

pytestmark = pytest.mark.browser


def looks_well(page) -> None:
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document)")["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_from_the_queue_to_the_turn(app: Flask, window, size: str) -> None:  # noqa: F811
    client, other = factories.person(wallet="50.00"), factories.person(wallet="50.00")
    reader = factories.reader("2.99", slug="luna")
    with transaction():
        free_minutes.offer(reader.person_id, "3", clock.now())
    with transaction():
        rings = readings.request(other.id, "luna", "text", clock.now()).id
    page = window(client, size)
    page.goto("/readers/luna/")
    expect(page.get_by_text("In a reading").first).to_be_visible()
    page.get_by_role("button", name="Join the queue").click()
    expect(page.get_by_text("You are number 1 in the queue")).to_be_visible()
    looks_well(page)
    page.goto("/readers/browse/")
    expect(page.get_by_text("3 min free for new clients")).to_be_visible()
    now = clock.now()
    with transaction():
        ringing_answers.decline(rings, Caller(Role.READER, reader.person_id), now, Signs(now, None, None))
    assert tend_waiting.run(JobContext(now=clock.now()))["held"] == 1
    turn = page.locator("[data-turn-bar]")
    expect(turn).to_contain_text("It is your turn", timeout=9_000)
    looks_well(page)
    turn.get_by_role("button", name="Close").click()
    expect(turn).to_be_hidden()
    page.reload()
    expect(turn).to_be_visible(timeout=9_000)  # closed for that page only: the turn runs
    turn.get_by_role("link").click()
    page.get_by_role("button", name="Start a text reading").click()
    expect(page.get_by_text("Ringing").first).to_be_visible()
