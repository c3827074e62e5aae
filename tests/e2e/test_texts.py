"""A conversation in two browsers: who writes and who has read, a warning, a link, a picture, and the clock that stands for help."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.product import Product
from tests.e2e.window import Window
from tests.texts.pictures import picture

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

# A folder for pictures of every state, for the eye.
SHOTS = os.environ.get("SHOTS")


def shoot(side: Window, name: str) -> None:
    if SHOTS:
        side.page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_a_conversation(product: Product, window: Callable[..., Window], tmp_path: Path) -> None:
    client, reader = window("client"), window("reader", size=(390, 844))
    client.sign_in("client@demo.test")
    reader.sign_in("reader@demo.test")
    client.page.goto("/readers/luna/")
    client.page.get_by_role("button", name="Start a text reading").click()
    client.page.wait_for_url("**/readings/*/")
    reader.page.goto(client.page.url)
    reader.page.get_by_role("button", name="Answer").click()
    for side in (client, reader):
        side.sees_state("Live")
    writes_and_reads(client, reader)
    warns(client, reader)
    shows_a_picture(client, reader, tmp_path)
    looks_at_once(client, reader)
    stands_still_for_help(client, reader)
    assert client.unexpected("status of 422") == []
    assert reader.unexpected("status of 422") == []
    assert "clean" in product.flask("ledger", "check")


def writes_and_reads(client: Window, reader: Window) -> None:
    client.message.press_sequentially("Hello Luna")
    expect(reader.page.locator("[data-typing]")).to_have_text("client is writing…")
    client.message.press("Enter")
    expect(reader.page.get_by_text("Hello Luna")).to_be_visible()
    expect(client.page.locator(".message-mark")).to_have_text("Read")
    expect(reader.page.locator("[data-typing]")).to_have_text("")
    script = "<img src=x onerror=alert(1)> <script>alert(1)</script>"
    client.say(script)
    expect(reader.page.get_by_text(script)).to_be_visible()
    assert client.page.locator(".message-mark").count() == 1


def warns(client: Window, reader: Window) -> None:
    reader.say("Text me: +1 415 555 2671")
    panel = reader.page.get_by_role("group", name="This seems to hold a phone number.")
    expect(panel).to_be_visible()
    expect(panel.get_by_role("button", name="Change it")).to_be_focused()
    reader.check_accessibility()
    shoot(reader, "warning-phone")
    panel.get_by_role("button", name="Change it").click()
    expect(reader.message).to_have_value("Text me: +1 415 555 2671")
    expect(panel).to_be_hidden()
    reader.message.fill("")
    client.say("My mail is client@example.com")
    panel = client.page.get_by_role("group", name="This seems to hold an email address.")
    shoot(client, "warning-desktop")
    panel.get_by_role("button", name="Send anyway").click()
    expect(reader.page.get_by_text("My mail is client@example.com")).to_be_visible()
    expect(client.page.get_by_text("Text me")).to_have_count(0)
    reader.say("Look at https://example.com/moon. And at /dashboard/")
    link = client.page.get_by_role("link", name="https://example.com/moon", exact=True)
    with client.context.expect_page() as opened:
        link.click()
    expect(opened.value.get_by_role("heading", name="You are leaving SoulSeer")).to_be_visible()
    away = opened.value.get_by_role("link", name="Go to example.com")
    assert away.get_attribute("href") == "https://example.com/moon"
    if SHOTS:
        opened.value.screenshot(path=Path(SHOTS) / "leaving.png")
    opened.value.close()


def shows_a_picture(client: Window, reader: Window, folder: Path) -> None:
    good, bad = folder / "cards.jpg", folder / "cards.png"
    good.write_bytes(picture("JPEG", (1200, 800)))
    bad.write_text("no picture at all")
    file = reader.page.locator("[data-picture-file]")
    file.set_input_files(bad)
    reader.page.get_by_label("What is on it?").fill("Three cards")
    reader.page.get_by_role("button", name="Send the picture").click()
    expect(reader.page.get_by_text("Send a JPEG, PNG, WebP or GIF picture.")).to_be_visible()
    file.set_input_files(good)
    expect(reader.page.get_by_alt_text("The picture that you chose")).to_be_visible()
    reader.page.get_by_label("What is on it?").fill("Three cards on a cloth")
    reader.check_accessibility()
    shoot(reader, "picture-tray-phone")
    reader.page.get_by_role("button", name="Send the picture").click()
    shown = client.page.get_by_alt_text("Three cards on a cloth")
    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1200
    # Pasted, and sent with nothing but the keyboard.
    client.page.evaluate(
        """async (bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        list(picture("PNG", (80, 60))),
    )
    expect(client.page.get_by_label("What is on it?")).to_be_focused()
    client.page.keyboard.type("A small moon")
    client.page.keyboard.press("Enter")
    expect(reader.page.get_by_alt_text("A small moon")).to_be_visible()
    for side in (client, reader):
        side.check_accessibility()
    shoot(client, "pictures-desktop")
    shoot(reader, "pictures-phone")


# Agora's messaging, as far as the page uses it, between two windows of this test.
RTM = """
window.AgoraRTM = { RTM: class {
  constructor(app, user) { this.user = user; this.told = []; window.rtm = this; }
  addEventListener(name, told) { if (name === "message") this.told.push(told); }
  async login({ token }) { if (!token) throw new Error("no token"); }
  async subscribe(channel) { document.documentElement.dataset.channel = channel; }
  async publish(channel, message) { await carry(this.user, channel, message); }
  async renewToken() {}
  async logout() {}
} };
"""


def looks_at_once(client: Window, reader: Window) -> None:
    """With Agora's messaging the other page is told to look; here it looks only when it is told."""

    def with_nudge(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('"nudge": false', '"nudge": true'))

    sides = (client, reader)
    for side in sides:
        side.page.route(re.compile(r"/readings/\d+/$"), with_nudge)
        side.page.route(
            "**/agora-rtm.js", lambda route: route.fulfill(body=RTM, content_type="text/javascript")
        )
        side.page.expose_function("carry", lambda *said: carried.append(said))
    carried: list[tuple[str, str, str]] = []
    for side in sides:
        side.page.reload()
        expect(side.page.locator("html")).to_have_attribute("data-channel", re.compile("[0-9a-f]{32}"))
    channel = client.page.locator("html").get_attribute("data-channel")
    assert reader.page.locator("html").get_attribute("data-channel") == channel
    polls: list[str] = []
    reader.page.on(
        "request", lambda request: polls.append(request.url) if "messages/?" in request.url else None
    )
    # A hidden page looks every five seconds by itself.
    reader.page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    with reader.page.expect_response(re.compile("messages/")):
        pass
    client.say("There is news")
    expect(client.page.get_by_text("There is news")).to_be_visible()
    expect(client.page.locator("[data-pending]")).to_have_count(0)
    assert [said[1:] for said in carried] == [(channel, "look")]
    before = len(polls)
    event = {"publisher": carried[0][0], "message": carried[0][2]}
    reader.page.evaluate("event => rtm.told.forEach((told) => told(event))", event)
    expect(reader.page.get_by_text("There is news")).to_be_visible(timeout=1500)
    assert len(polls) > before
    for side in sides:
        side.page.unroute_all()
        side.page.reload()
        side.sees_state("Live")


def stands_still_for_help(client: Window, reader: Window) -> None:
    client.page.get_by_role("button", name="Get help").click()
    expect(client.page.get_by_role("dialog").get_by_text("Samaritans", exact=True)).to_be_visible()
    client.check_accessibility()
    shoot(client, "help-desktop")
    client.page.get_by_role("button", name="Back to the reading").click()
    client.say("I don't want to live anymore")
    for side in (client, reader):
        side.sees_state("Paused")
        expect(side.page.locator("[data-pause-title]")).to_have_text(
            "SoulSeer paused the clock to offer help"
        )
        expect(
            side.page.get_by_role("region", name="Help lines").get_by_text("Samaritans", exact=True)
        ).to_be_visible()
        side.check_accessibility()
    shoot(client, "crisis-desktop")
    shoot(reader, "crisis-phone")
    before = client.meter()
    client.page.get_by_role("button", name="Go on").click()
    expect(client.page.locator("[data-pause-title]")).to_contain_text("Waiting for")
    expect(reader.page.locator("[data-pause-title]")).to_have_text("Do you want to go on?")
    assert client.meter()["state"] == "reconnecting"
    reader.page.get_by_role("button", name="Go on").click()
    for side in (client, reader):
        side.sees_state("Live")
        expect(side.page.get_by_role("region", name="Help lines")).to_be_hidden()
    assert client.meter()["minutes_billed"] == before["minutes_billed"] == 1
    client.page.get_by_role("button", name="End", exact=True).click()
    client.page.get_by_role("button", name="End the reading").click()
    expect(client.page.get_by_text("You ended it.").first).to_be_visible(timeout=15_000)
    client.page.locator(".receipt-talk summary").click()
    expect(client.page.get_by_alt_text("Three cards on a cloth")).to_be_visible()
    client.check_accessibility()
    shoot(client, "receipt-desktop")
