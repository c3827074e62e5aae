"""What else happens in a room: declined, given up, stepped out of, signed out, with a browser whose clock is wrong."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.product import Product
from tests.e2e.window import Window

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

SEVEN_HOURS_FAST = """(() => {
  const Real = Date, wrong = 7 * 3600 * 1000;
  globalThis.Date = class extends Real {
    constructor(...parts) { parts.length ? super(...parts) : super(Real.now() + wrong); }
    static now() { return Real.now() + wrong; }
  };
})()"""


def ring(client: Window) -> None:
    client.page.goto("/readers/luna/")
    client.page.get_by_role("button", name="Start a voice reading").click()
    expect(client.page.get_by_role("heading", name="Ringing Luna")).to_be_visible()


def test_other_ways_through_a_room(product: Product, window: Callable[..., Window]) -> None:
    client, reader = window("client", size=(390, 844)), window("reader")
    reader.context.add_init_script(SEVEN_HOURS_FAST)
    client.sign_in("client@demo.test")
    reader.sign_in("reader@demo.test")

    ring(client)
    reader.page.goto(client.page.url)
    reader.page.get_by_role("button", name="Decline").click()
    for side, words in ((client, "Luna could not take the reading"), (reader, "You declined")):
        expect(side.page.get_by_role("heading", name="No reading took place")).to_be_visible()
        expect(side.page.get_by_text(words).first).to_be_visible()
        expect(side.page.get_by_text("Nothing was charged.", exact=True)).to_be_visible()

    ring(client)
    client.page.get_by_role("button", name="Stop ringing").click()
    expect(client.page.get_by_role("heading", name="No reading took place")).to_be_visible()

    ring(client)
    reader.page.goto(client.page.url)
    expect(reader.page.locator("[data-ring-clock]")).to_have_text(re.compile(r"[12]:\d\d"))
    with client.page.expect_response("**/rtc-token/") as token:
        reader.page.get_by_role("button", name="Answer").click()
    assert token.value.status == 200
    for side in (client, reader):
        side.sees_state("Live")
        expect(side.page.locator('[data-meter="paid"]')).to_have_text(re.compile(r"^(0:\d\d|1:00)$"))

    reader.page.get_by_role("button", name="Step out").click()
    reader.sees_state("Paused")
    expect(client.page.get_by_text("Luna stepped out", exact=True)).to_be_visible()
    client.check_accessibility()
    reader.page.get_by_role("button", name="Come back").click()
    for side in (client, reader):
        side.sees_state("Live")

    elsewhere = client.context.new_page()
    elsewhere.goto("/dashboard/")
    elsewhere.locator("summary").first.click()
    elsewhere.get_by_role("button", name="Sign out").last.click()
    expect(client.page.get_by_text("You have been signed out")).to_be_visible()
    elsewhere.close()
    client.page.get_by_role("link", name="Sign in", exact=True).click()
    client.page.get_by_role("button", name="client@demo.test").click()
    client.page.wait_for_url("**/readings/*/")

    reader.page.get_by_role("button", name="End", exact=True).click()
    reader.page.get_by_role("button", name="End the reading").click()
    for side in (client, reader):
        expect(side.page.get_by_role("heading", name="Your receipt")).to_be_visible()
        expect(side.page.locator(".receipt-code code")).to_be_visible(timeout=20_000)
    assert client.unexpected("status of 401") == []  # signed out elsewhere
    assert reader.unexpected() == []
