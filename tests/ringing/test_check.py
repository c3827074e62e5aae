"""The check before a reading: with devices that work, with each way in which they do not, and in the room."""

import re

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.services import readings
from tests import factories
from tests.e2e.window import AXE
from tests.pages.test_in_browser import address, window  # noqa: F401

pytestmark = pytest.mark.browser

# Every track that was opened, to see that none is left running; and a fault to give out in place of one of a kind.
WATCHED = """(() => {
  globalThis.opened = [];
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const [kind, name] = globalThis.fault ?? [];
    if (wanted[kind]) throw new DOMException("as the test wants it", name);
    const stream = await real(wanted);
    globalThis.opened.push(...stream.getTracks());
    return stream;
  };
})()"""


def line(page: Page, name: str):
    return page.locator(f'[data-check-line="{name}"]')


def running(page: Page) -> int:
    return page.evaluate("opened.filter((track) => track.readyState === 'live').length")


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_everything_works_and_is_let_go(app: Flask, window, size: str) -> None:  # noqa: F811
    page = window(factories.person(), size, permissions=["camera", "microphone"])
    page.add_init_script(WATCHED)
    page.goto("/readings/check/?modality=video&reader=luna")
    assert running(page) == 0
    page.get_by_role("button", name="Start the check").click()
    for name in ("camera", "microphone", "round", "download", "calls"):
        expect(line(page, name)).to_have_attribute("data-state", "good", timeout=15_000)
    expect(line(page, "round")).to_contain_text(re.compile(r"\d+ ms"))
    assert page.evaluate("document.querySelector('[data-check-picture]').videoWidth") > 0
    page.get_by_role("button", name="Play a tone").click()
    expect(line(page, "speaker")).to_contain_text("A tone is played")
    expect(page.get_by_label("Your voice")).not_to_have_attribute("value", "0")
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document)")["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert running(page) == 2
    page.get_by_role("button", name="Done").click()
    assert running(page) == 0
    expect(page.get_by_role("button", name="Start the check")).to_be_focused()
    assert page.get_by_role("link", name="Back to the reader").get_attribute("href") == "/readers/luna/"


@pytest.mark.parametrize(
    ("fault", "words", "mend"),
    [
        ("NotAllowedError", "Your camera is blocked", "allow the camera"),
        ("NotFoundError", "No camera was found", "Plug one in"),
        ("NotReadableError", "Your camera is busy", "Another program is using it"),
    ],
)
def test_each_fault_says_how_to_mend_it(app: Flask, window, fault: str, words: str, mend: str) -> None:  # noqa: F811
    page = window(factories.person(), permissions=["camera", "microphone"])
    page.add_init_script(WATCHED)
    page.goto("/readings/check/?modality=video")
    page.evaluate(f"globalThis.fault = ['video', '{fault}']")
    page.get_by_role("button", name="Start the check").click()
    expect(line(page, "camera")).to_contain_text(words)
    expect(line(page, "camera")).to_contain_text(mend)
    expect(line(page, "microphone")).to_have_attribute("data-state", "good")
    page.evaluate("globalThis.fault = null")
    page.get_by_role("button", name="Try the camera again").click()
    expect(line(page, "camera")).to_have_attribute("data-state", "good")


def test_the_choice_is_kept_for_the_call(app: Flask, window) -> None:  # noqa: F811
    page = window(factories.person(), permissions=["camera", "microphone"])
    page.goto("/readings/check/?modality=voice")
    page.get_by_role("button", name="Start the check").click()
    choice = page.locator("select[data-check-choose=microphone]")
    expect(choice).to_be_visible()
    wanted = choice.locator("option").last.get_attribute("value")
    choice.select_option(wanted)
    devices = page.evaluate("import('/static/build/room/check.js').then((check) => check.chosenDevices())")
    assert devices["microphoneId"] == wanted
    page.reload()
    page.get_by_role("button", name="Start the check").click()
    expect(choice).to_have_value(wanted)


def test_the_room_offers_it_while_one_waits_and_opens_nothing_by_itself(app: Flask, window) -> None:  # noqa: F811
    client = factories.person(wallet="50.00")
    factories.reader("2.99", slug="luna")
    with transaction():
        voice = readings.request(client.id, "luna", "voice", clock.now()).id
    page = window(client, permissions=["camera", "microphone"])
    page.add_init_script(WATCHED)
    page.goto(f"/readings/{voice}/")
    start = page.get_by_role("button", name="Start the check")
    expect(start).to_be_enabled()
    assert running(page) == 0
    start.click()
    expect(line(page, "microphone")).to_have_attribute("data-state", "good")
    expect(line(page, "camera")).to_have_count(0)
    page.get_by_role("button", name="Stop ringing").click()
    expect(page.get_by_role("heading", name="No reading took place")).to_be_visible()
