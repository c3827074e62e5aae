"""A real call in two browsers with fake cameras: frames counted through mute, a drop, another window, the money's end."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.product import Product
from tests.e2e.window import Window, pay

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

# What came in so far, by the connection's own count; None while there is none.
MEASURE = """async () => {
  const { call } = await import("/static/build/room/call.js");
  return call.transport ? await call.transport.measure() : null;
}"""
# Everything that could still send or receive: live own tracks, and whether the other's stream is there.
OPEN = """async () => {
  const { call } = await import("/static/build/room/call.js");
  const own = Object.values(call.local.tracks).filter((track) => track && track.readyState === "live").length;
  return { running: call.running, own, other: call.view.video.srcObject !== null };
}"""
# Notes the server's time at which the last own track ended and the other's picture went.
WATCH_THE_CUT = """async () => {
  const { call } = await import("/static/build/room/call.js");
  const { hub } = await import("/static/build/room/hub.js");
  const own = Object.values(call.local.tracks).filter(Boolean);
  const watch = setInterval(() => {
    if (call.view.video.srcObject || own.some((track) => track.readyState === "live")) return;
    window.cutAt = hub.now();
    clearInterval(watch);
  }, 20);
}"""
NO_CAMERA = """(() => {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) =>
    wanted.video ? Promise.reject(new DOMException("Permission denied", "NotAllowedError")) : real(wanted);
})()"""


def ring_and_answer(client: Window, reader: Window, modality: str) -> None:
    client.page.goto("/readers/luna/")
    client.page.get_by_role("button", name=f"Start a {modality} reading").click()
    expect(client.page.get_by_role("heading", name="Ringing Luna")).to_be_visible()
    reader.page.goto(client.page.url)
    reader.page.get_by_role("button", name="Answer").click()


def state_of(page: Page, state: str, seconds: float = 15) -> None:
    expect(page.locator("[data-call]")).to_have_attribute("data-state", state, timeout=seconds * 1000)


def flows(side: Window, *, frames: bool) -> None:
    """Sound (and pictures) keep coming in."""
    deadline = time.monotonic() + 15
    before = None
    while time.monotonic() < deadline:
        now: dict[str, Any] | None = side.page.evaluate(MEASURE)
        if (
            before
            and now
            and now["samples"] > before["samples"]
            and (not frames or now["frames"] > before["frames"])
        ):
            return
        before = now or before
        side.page.wait_for_timeout(300)
    pytest.fail(f"nothing comes in at the {side.name}'s: {before}")


def is_cut(side: Window) -> None:
    """No track is live and nothing is shown."""
    state_of(side.page, "still")
    assert side.page.evaluate(OPEN) == {"running": False, "own": 0, "other": False}


def pressed(side: Window, name: str) -> None:
    expect(side.page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")


def spend_all_but_the_minute_that_runs(product: Product, client: Window, *, left: float) -> datetime:
    """Charge the minutes that the wallet can pay, then set the reading's clock so that ``left`` seconds are paid."""
    while client.meter()["affordable_minutes"]:
        product.tick(
            (datetime.fromisoformat(client.meter()["paid_until"]) + timedelta(seconds=1)).isoformat()
        )
    with psycopg.connect(product.facts["DATABASE_URL"]) as connection:
        row = connection.execute(
            "UPDATE reading_session SET paid_until = paid_until - shift, covered_until = covered_until - shift, "
            "active_since = active_since - shift, activated_at = activated_at - shift "
            "FROM (SELECT id AS shifted, paid_until - now() - %s AS shift FROM reading_session WHERE state = 'active') AS one "
            "WHERE id = shifted RETURNING paid_until",
            (timedelta(seconds=left),),
        ).fetchone()
    assert row is not None
    return row[0]


def test_a_video_call_through_mute_drop_another_window_and_end(
    product: Product, window: Callable[..., Window]
) -> None:
    client, reader = window("client", size=(390, 844)), window("reader")
    client.sign_in("client@demo.test")
    reader.sign_in("reader@demo.test")
    ring_and_answer(client, reader, "video")
    for side in (client, reader):
        state_of(side.page, "on")
        flows(side, frames=True)
        expect(side.page.locator("[data-call-part=quality]")).to_contain_text("connection")
        expect(side.page.locator("[data-call-part=own]")).to_be_visible()
        side.check_accessibility()

    # Muting is told to the other one; the key works outside of the fields.
    client.page.get_by_role("button", name="Mute", exact=True).click()
    pressed(client, "Mute")
    expect(reader.page.get_by_text("muted", exact=True)).to_be_visible()
    reader.page.locator("h1").click()
    reader.page.keyboard.press("Alt+KeyO")
    pressed(reader, "Video off")
    expect(client.page.locator("[data-call-part=other]")).to_have_attribute("data-seen", "false")
    client.check_accessibility()
    reader.page.keyboard.press("Alt+KeyO")
    expect(client.page.locator("[data-call-part=other]")).to_have_attribute("data-seen", "true")
    client.page.get_by_role("button", name="Mute", exact=True).click()
    reader.page.get_by_role("button", name="Devices", exact=True).click()
    reader.check_accessibility()
    devices = reader.page.get_by_role("dialog", name="Your devices")
    devices.get_by_label("Microphone").select_option(index=1)
    devices.get_by_role("button", name="Close").click()
    flows(client, frames=True)

    # A drop: cut off from the server, the client is gone; back again, all comes back without a click.
    client.context.set_offline(True)
    reader.sees_state("Paused", seconds=20)
    is_cut(reader)
    expect(reader.page.locator("[data-pause-clock]")).to_have_text(re.compile(r"[34]:\d\d"))
    expect(client.page.locator("[data-call]")).to_have_attribute("data-state", "still", timeout=20_000)
    reader.check_accessibility()
    client.context.set_offline(False)
    for side in (client, reader):
        side.sees_state("Live", seconds=20)
        state_of(side.page, "on")
        flows(side, frames=True)

    # The same person in a second window: the newest has the call, the older one says so and can take it back.
    second = client.context.new_page()
    second.goto(client.page.url)
    state_of(second, "on")
    state_of(client.page, "elsewhere")
    expect(client.page.locator("[data-call-part=words]")).to_contain_text("in another window of yours")
    client.check_accessibility()
    client.page.get_by_role("button", name="Take the call here").click()
    state_of(client.page, "on")
    state_of(second, "elsewhere")
    second.close()
    flows(client, frames=True)
    flows(reader, frames=True)

    reader.page.get_by_role("button", name="Hang up").click()
    reader.page.get_by_role("button", name="End the reading").click()
    for side in (client, reader):
        expect(side.page.get_by_role("heading", name="Your receipt")).to_be_visible()
    assert client.unexpected("ERR_INTERNET_DISCONNECTED") == []
    assert reader.unexpected() == []


def test_media_end_with_the_money_and_come_back_with_it(
    product: Product, window: Callable[..., Window]
) -> None:
    client, reader = window("broke", size=(390, 844)), window("reader")
    client.context.add_init_script(NO_CAMERA)
    product.empty_wallet("broke@demo.test")
    client.sign_in("broke@demo.test")
    reader.sign_in("reader@demo.test")
    client.page.goto("/wallet/")
    client.page.get_by_role("button", name="$10.00").first.click()
    pay(client.page)
    expect(client.page.locator("[data-wallet-balance]").first).to_have_text(
        re.compile(r"\$1\d\.\d\d"), timeout=20_000
    )
    client.page.goto("/readers/luna/")
    ring_and_answer(client, reader, "video")

    # No camera: heard all the same, and told how to allow it.
    trouble = client.page.locator("[data-call-part=trouble]")
    expect(trouble).to_contain_text("Your camera is blocked")
    client.check_accessibility()
    for side in (client, reader):
        state_of(side.page, "on")
    flows(reader, frames=False)
    flows(client, frames=True)
    client.page.get_by_role("button", name="Go on by voice").click()
    expect(trouble).to_be_hidden()

    for side in (client, reader):
        side.page.evaluate(WATCH_THE_CUT)
    end = spend_all_but_the_minute_that_runs(product, client, left=4)
    is_cut(client)
    is_cut(reader)
    for side in (client, reader):
        late = side.page.evaluate("window.cutAt") / 1000 - end.timestamp()
        assert -0.25 < late <= 2, f"{side.name}: {late:.2f} s after the paid time"
    client.sees_state("Paused")

    # On a phone as well nobody has to look for the way on, or for how long there is.
    for part in ("[data-pause-top-up]", "[data-pause-clock]"):
        expect(client.page.locator(part)).to_be_in_viewport(ratio=1)
    client.check_accessibility()
    client.page.locator("[data-pause-top-up]").click()
    with client.context.expect_page() as opened:
        client.page.get_by_role("dialog").get_by_role("button", name="$10.00").click()
    pay(opened.value)
    expect(client.page.locator('[data-meter="balance"]')).to_have_text("$12.02", timeout=20_000)
    # The new tab has come back to the room; left open it would be the newest, and have the call.
    opened.value.close()
    client.page.get_by_role("button", name="Go on", exact=True).click(timeout=20_000)
    for side in (client, reader):
        side.sees_state("Live")
        state_of(side.page, "on")
    flows(reader, frames=False)
    client.page.get_by_role("button", name="Hang up").click()
    client.page.get_by_role("button", name="End the reading").click()
    expect(client.page.get_by_role("heading", name="Your receipt")).to_be_visible()
    assert "clean" in product.flask("ledger", "check")


# What our transport asks of Agora's SDK, noted; the other one publishes sound at once.
STAND_IN = """globalThis.AgoraRTC = {
  said: [], setLogLevel() {},
  createCustomAudioTrack: ({ mediaStreamTrack }) => ({ mediaStreamTrack, setMuted: (yes) => AgoraRTC.said.push(["muted", yes]) }),
  createClient(options) {
    const told = {};
    const say = (...words) => AgoraRTC.said.push(words);
    return AgoraRTC.client = {
      connectionState: "CONNECTED", remoteUsers: [], told,
      on: (name, listener) => (told[name] = listener),
      join: async (...words) => { say("join", options.mode, ...words); told["connection-state-change"]("CONNECTED", "", ""); },
      publish: async (track) => say("publish", track.mediaStreamTrack.kind),
      unpublish: async () => say("unpublish"),
      subscribe: async (user, kind) => say("subscribe", kind),
      renewToken: async (token) => say("renew", token),
      leave: async () => say("leave"),
    };
  },
};"""
DRIVE = """async () => {
  const { Transport } = await import("/static/build/room/media/agora.js");
  const [track] = (await navigator.mediaDevices.getUserMedia({ audio: true })).getTracks();
  const heard = [];
  let token = "first";
  const note = (name) => (value) => heard.push([name, value instanceof MediaStream ? value.getTracks().length : value]);
  const transport = new Transport({
    tokens: () => ({ app_id: "app", channel: "room", uid: 7, token }),
    on: { stream: note("stream"), state: note("state"), status: note("status"), elsewhere: note("elsewhere") },
  });
  await transport.start({ audio: track, video: null });
  const { client } = AgoraRTC;
  await client.told["user-published"]({ audioTrack: { getMediaStreamTrack: () => track.clone() } }, "audio");
  transport.status({ audio: false });
  token = "second";
  await client.told["token-privilege-will-expire"]();
  await client.told["connection-state-change"]("DISCONNECTED", "CONNECTED", "UID_CONFLICT");
  return { said: AgoraRTC.said, heard };
}"""


def test_with_agoras_keys_only_the_transport_changes(product: Product, window: Callable[..., Window]) -> None:
    """Agora itself is out of reach here: our half against its SDK's own interface, and that the file we serve has it."""
    page = window("visitor").page
    page.goto("/healthz")
    page.add_script_tag(url="/static/build/agora-rtc.js")
    assert page.evaluate("AgoraRTC.VERSION").startswith("4.24")
    needed = "on join publish unpublish subscribe renewToken leave getRTCStats getRemoteAudioStats getRemoteVideoStats"
    missing = (
        "(names) => names.filter((name) => !(AgoraRTC.createClient({ mode: 'rtc', codec: 'vp8' })[name]))"
    )
    assert page.evaluate(missing, needed.split()) == []

    page.route("**/agora-rtc.js", lambda route: route.fulfill(body=STAND_IN, content_type="text/javascript"))
    page.goto("/")
    found = page.evaluate(DRIVE)
    assert found["said"] == [
        ["join", "rtc", "app", "room", "first", 7],
        ["publish", "audio"],
        ["subscribe", "audio"],
        ["muted", True],
        ["renew", "second"],
        ["leave"],
    ]
    assert ["state", "on"] in found["heard"]
    assert ["stream", 1] in found["heard"]
    assert ["status", {"audio": True, "video": False}] in found["heard"]
    assert found["heard"][-1][0] == "elsewhere"
