"""The main job in two browsers side by side, from sign-in to receipt, to the cent."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

import pytest
from playwright.sync_api import expect

from tests.e2e.product import Product
from tests.e2e.window import Window, pay

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

CLIENT, READER = "broke@demo.test", "reader@demo.test"
RATE, PART = Decimal("1.99"), Decimal("1.39")


def test_a_text_reading_from_sign_in_to_receipt(product: Product, window: Callable[..., Window]) -> None:
    client, reader = window("client"), window("reader", size=(390, 844))
    product.empty_wallet(CLIENT)
    client.sign_in(CLIENT)
    reader.sign_in(READER)
    earned_before = product.balance(READER, "reader_earnings_pending")

    top_up_from_the_wallet(client, product)
    ring_and_answer(client, reader)
    sees_the_same(client, reader, product, minutes=1, earned_before=earned_before)
    talk(client, reader)
    pull_the_plug(client, reader)
    move_the_clock(client, reader, product, earned_before)
    run_out_of_money_and_go_on(client, reader, product)
    minutes = client.meter()["minutes_billed"]
    assert minutes == 6
    sees_the_same(
        client, reader, product, minutes=minutes, earned_before=earned_before, paid_in=Decimal("20.00")
    )
    end_and_read_the_receipt(client, reader, product, minutes, earned_before)
    assert "clean" in product.flask("ledger", "check")
    assert client.unexpected("ERR_INTERNET_DISCONNECTED") == []
    assert reader.unexpected() == []


def top_up_from_the_wallet(client: Window, product: Product) -> None:
    client.page.get_by_role("navigation", name="Main").get_by_role("link", name="Wallet").click()
    client.page.get_by_role("button", name="$10.00").click()
    pay(client.page)
    expect(client.page.get_by_text("The money is in your wallet")).to_be_visible(timeout=15_000)
    assert product.balance(CLIENT, "client_wallet") == Decimal("10.00")


def ring_and_answer(client: Window, reader: Window) -> None:
    client.page.get_by_role("navigation", name="Main").get_by_role("link", name="Readers").click()
    client.page.get_by_role("link", name="Luna").click()
    client.page.get_by_role("button", name="Start a text reading").click()
    expect(client.page.get_by_role("heading", name="Ringing Luna")).to_be_visible()
    expect(client.page.locator("[data-ring-clock]")).to_have_text(re.compile(r"[12]:\d\d"))
    client.check_accessibility()
    accept = reader.page.get_by_role("button", name="Accept")  # the bell, on every page
    expect(accept).to_be_visible()
    reader.check_accessibility()
    assert client.meter()["minutes_billed"] == 0
    accept.click()
    for side in (client, reader):
        side.sees_state("Live")
        expect(side.message).to_be_enabled()
        expect(side.page.get_by_text("The first minute is paid")).to_be_visible()
    expect(client.page.locator("[data-meter-warning]")).to_contain_text("about 5 more minutes")


def sees_the_same(
    client: Window,
    reader: Window,
    product: Product,
    *,
    minutes: int,
    earned_before: Decimal,
    paid_in: Decimal = Decimal("10.00"),
) -> None:
    """Both meters and both wallets say what so many minutes come to."""
    expect(client.page.locator('[data-meter="cost"]')).to_have_text(f"${minutes * RATE}")
    expect(client.page.locator('[data-meter="balance"]')).to_have_text(f"${paid_in - minutes * RATE}")
    expect(reader.page.locator('[data-meter="earned"]')).to_have_text(f"${minutes * PART}")
    expect(reader.page.locator('[data-meter="minutes"]')).to_have_text(str(minutes))
    assert product.balance(CLIENT, "client_wallet") == client.dollars("balance")
    assert product.balance(READER, "reader_earnings_pending") == earned_before + reader.dollars("earned")


def talk(client: Window, reader: Window) -> None:
    waits = []
    for number, (one, other) in enumerate([(client, reader), (reader, client)] * 2):
        one.say(f"message {number}")
        said = time.monotonic()
        expect(other.page.get_by_text(f"message {number}")).to_be_visible(timeout=5000)
        waits.append(time.monotonic() - said)
    assert median(waits) <= 2, waits
    client.message.fill("two")
    client.message.press("Shift+Enter")
    client.message.type("lines <b>&")
    client.message.press("Enter")
    expect(reader.page.get_by_text("lines <b>&")).to_be_visible()
    client.page.reload()
    expect(client.page.get_by_text("lines <b>&")).to_be_visible()
    assert (
        client.spoken()
        == reader.spoken()
        == [*(f"message {number}" for number in range(4)), "two\nlines <b>&"]
    )
    client.page.get_by_label("Your private note").fill("Asks about Porto.")
    expect(client.page.get_by_text("Saved", exact=True)).to_be_visible()
    for side in (client, reader):
        side.check_accessibility()


def pull_the_plug(client: Window, reader: Window) -> None:
    client.context.set_offline(True)
    expect(client.page.get_by_text("The connection is lost")).to_be_visible()
    client.say("written without a connection")
    reader.sees_state("Paused", seconds=20)
    expect(reader.page.get_by_text("lost the connection").first).to_be_visible()
    reader.check_accessibility()
    expect(reader.page.locator("[data-pause-clock]")).to_have_text(re.compile(r"[34]:\d\d"))
    client.context.set_offline(False)
    # What the own connection broke off goes on by itself.
    for side in (client, reader):
        side.sees_state("Live", seconds=20)
    assert client.meter()["reconnects"] == 1
    expect(reader.page.get_by_text("written without a connection")).to_be_visible()
    for side in (client, reader):
        assert side.spoken().count("written without a connection") == 1


def move_the_clock(client: Window, reader: Window, product: Product, earned_before: Decimal) -> None:
    """On by the minute, with the two warnings that are still to come, each once."""
    warning = client.page.locator("[data-meter-warning]")
    expect(warning).to_be_hidden()  # told once, before the page was loaded anew
    paid_until = datetime.fromisoformat(client.meter()["paid_until"])
    for seconds, minutes, words in ((140, 4, "about 2 more minutes"), (210, 5, "less than a minute")):
        product.tick((paid_until + timedelta(seconds=seconds)).isoformat())
        sees_the_same(client, reader, product, minutes=minutes, earned_before=earned_before)
        expect(warning).to_contain_text(words)
    expect(client.page.locator("[data-meter-panel]")).to_have_attribute("data-level", "last")
    client.check_accessibility()
    product.tick((paid_until + timedelta(seconds=250)).isoformat())


def run_out_of_money_and_go_on(client: Window, reader: Window, product: Product) -> None:
    client.sees_state("Paused")
    expect(client.page.get_by_text("Your money has run out").first).to_be_visible()
    expect(reader.page.get_by_text("The client’s money has run out").first).to_be_visible()
    assert product.balance(CLIENT, "client_wallet") == Decimal("0.05")
    client.page.locator("[data-pause-top-up]").click()
    client.check_accessibility()
    with client.context.expect_page() as opened:
        client.page.get_by_role("dialog").get_by_role("button", name="$10.00").click()
    pay(opened.value)
    # The room has not been left; it notices by itself.
    expect(client.page.locator('[data-meter="balance"]')).to_have_text("$10.05", timeout=20_000)
    opened.value.close()
    client.page.get_by_role("button", name="Go on", exact=True).click()
    for side in (client, reader):
        side.sees_state("Live")
    client.say("and on we go")
    expect(reader.page.get_by_text("and on we go")).to_be_visible()
    paid_until = datetime.fromisoformat(client.meter()["paid_until"])
    product.tick((paid_until + timedelta(seconds=30)).isoformat())


def end_and_read_the_receipt(
    client: Window, reader: Window, product: Product, minutes: int, earned_before: Decimal
) -> None:
    client.page.get_by_role("button", name="End", exact=True).click()
    client.check_accessibility()
    client.page.get_by_role("button", name="End the reading").click()
    for side, label, total in ((client, "You paid", minutes * RATE), (reader, "You earned", minutes * PART)):
        expect(side.page.get_by_role("heading", name="Your receipt")).to_be_visible()
        expect(side.page.locator(".receipt-code code")).to_have_text(
            re.compile(r"\w{4}-\w{4}-\w{4}"), timeout=20_000
        )
        assert side.page.locator("[data-minute]").count() == minutes
        expect(side.page.locator(".receipt-total")).to_contain_text(f"{label} ${total}")
        side.check_accessibility()
    assert client.page.locator("code").inner_text() == reader.page.locator("code").inner_text()
    assert product.balance(CLIENT, "client_wallet") == Decimal("20.00") - minutes * RATE
    expect(client.page.get_by_label("Your private note")).to_have_value("Asks about Porto.")
    client.page.get_by_role("radio", name="4 stars").check()
    client.page.get_by_role("button", name="Publish the review").click()
    expect(client.page.get_by_text("Thank you. Your review")).to_be_visible()
    reader.page.goto("/dashboard/")
    expect(reader.page.get_by_text(f"${earned_before + minutes * PART}").first).to_be_visible()
