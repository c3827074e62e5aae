"""How soon two people hear each other, and how soon media stop once nothing is paid for any more.

    python -m bench.call [--runs 20] [--cuts 20]

Starts a product of its own (as ``make run`` does) and one Chromium with fake microphones; the goals are issue 4's.
``runs``: from the click on Answer until the other's voice came in at both, seconds. ``cuts``: from the end of the paid time,
with an empty wallet, until a side's own tracks were stopped and the other's voice was gone, seconds, of the later side. For
the cuts the reading's clock and the wallet's cached balance are set in the database: a few seconds are left, no money.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
from playwright.sync_api import expect, sync_playwright

from tests.browsers import ARGUMENTS, NAMES
from tests.e2e.product import Product, running
from tests.e2e.window import Window

LEFT = timedelta(seconds=3)
# Date.now() at the click, and when the connection stood, the sound played and samples had come.
HEARD = """async () => {
  document.addEventListener("click", () => (window.clickedAt ??= Date.now()), { capture: true });
  const { call } = await import("/static/build/room/call.js");
  const watch = setInterval(async () => {
    if (!call.view?.stands || call.view.video.paused) return;
    const figures = await call.transport.measure();
    if (!figures || figures.samples === 0) return;
    window.heardAt ??= Date.now();
    clearInterval(watch);
  }, 20);
}"""
CUT = """async () => {
  const { call } = await import("/static/build/room/call.js");
  window.cutAt = undefined;
  const own = Object.values(call.local.tracks).filter(Boolean);
  const watch = setInterval(() => {
    if (call.view.video.srcObject || own.some((track) => track.readyState === "live")) return;
    window.cutAt = Date.now();
    clearInterval(watch);
  }, 10);
}"""


def percentile(values: list[float], part: float) -> float:
    """The value that ``part`` (0 to 1) of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def set_wallet(product: Product, dollars: Decimal) -> None:
    """What client@demo.test can spend, without a movement: for the measurement only."""
    with psycopg.connect(product.facts["DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE ledger_account SET balance = %s WHERE kind = 'client_wallet' AND owner_id = "
            "(SELECT id FROM person WHERE email = 'client@demo.test')",
            [dollars],
        )


def set_clock(product: Product) -> datetime:
    """Leave LEFT of the paid time of the active reading; its end."""
    with psycopg.connect(product.facts["DATABASE_URL"]) as connection:
        row = connection.execute(
            "UPDATE reading_session SET paid_until = paid_until - shift, covered_until = covered_until - shift, "
            "active_since = active_since - shift, activated_at = activated_at - shift "
            "FROM (SELECT id AS one, paid_until - now() - %s AS shift FROM reading_session WHERE state = 'active') AS live "
            "WHERE id = one RETURNING paid_until",
            [LEFT],
        ).fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def noted(side: Window, name: str) -> float:
    """What a page noted under ``name``, milliseconds since 1970. Raises TimeoutError after 30 seconds."""
    # The page's policy forbids what Playwright's own waiting does.
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        value = side.page.evaluate("(name) => window[name]", name)
        if value is not None:
            return float(value)
        side.page.wait_for_timeout(50)
    raise TimeoutError(f"{side.name}: nothing under {name}")


def begin(client: Window, reader: Window) -> float:
    """Ring, answer, wait until both hear; seconds from the click."""
    client.page.goto("/readers/luna/")
    client.page.get_by_role("button", name="Start a voice reading").click()
    client.page.wait_for_url("**/readings/*/")
    reader.page.goto(client.page.url)
    expect(reader.page.locator("[data-answer]")).to_be_enabled()
    for side in (client, reader):
        side.page.evaluate(HEARD)
    reader.page.locator("[data-answer]").click()
    heard = max(noted(side, "heardAt") for side in (client, reader))
    return float(heard - reader.page.evaluate("window.clickedAt")) / 1000


def end(reader: Window, client: Window) -> None:
    reader.page.get_by_role("button", name="Hang up").click()
    reader.page.get_by_role("button", name="End the reading").click()
    for side in (reader, client):
        expect(side.page.get_by_role("heading", name="Your receipt")).to_be_visible(timeout=20_000)


def cut(product: Product, client: Window, reader: Window) -> float:
    """Run out of money; seconds from the end of the paid time until the later side was silent. Then go on."""
    for side in (client, reader):
        expect(side.page.locator("[data-call]")).to_have_attribute("data-state", "on", timeout=20_000)
        side.page.evaluate(CUT)
    set_wallet(product, Decimal("0.50"))
    ends = set_clock(product).timestamp()
    late = max(noted(side, "cutAt") for side in (client, reader)) / 1000 - ends
    set_wallet(product, Decimal("500.00"))
    client.page.get_by_role("button", name="Go on", exact=True).click(timeout=20_000)
    return float(late)


@contextmanager
def two_windows() -> Iterator[tuple[Product, Window, Window]]:
    """A product and two signed-in people, the client's first."""
    # Every cut is a reconnect.
    os.environ["MAX_RECONNECTS"] = "1000"
    path = next(found for name in NAMES if (found := shutil.which(name)))
    with (
        tempfile.TemporaryDirectory() as directory,
        running(Path(directory) / "var") as product,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        client, reader = (
            Window(name, browser.new_context(base_url=product.url)) for name in ("client", "reader")
        )
        client.sign_in("client@demo.test")
        reader.sign_in("reader@demo.test")
        yield product, client, reader
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--cuts", type=int, default=20)
    wanted = parser.parse_args()
    heard: list[float] = []
    late: list[float] = []
    with two_windows() as (product, client, reader):
        for _ in range(wanted.runs):
            set_wallet(product, Decimal("500.00"))
            heard.append(begin(client, reader))
            end(reader, client)
        if wanted.cuts:
            set_wallet(product, Decimal("500.00"))
            begin(client, reader)
            late = [cut(product, client, reader) for _ in range(wanted.cuts)]
    for name, values, goal in (("click to voice at both", heard, 3.0), ("media after paid_until", late, 2.0)):
        if values:
            p50, p95, most = percentile(values, 0.5), percentile(values, 0.95), max(values)
            print(
                f"{name}: p50 {p50:.2f} s, p95 {p95:.2f} s, most {most:.2f} s, {len(values)} runs (goal p95 {goal:.0f} s)"
            )
    print(json.dumps({"heard_seconds": heard, "cut_seconds": late}))


if __name__ == "__main__":
    main()
