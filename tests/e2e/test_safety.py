"""From a client's own limit over a report and a block to a decision, an appeal and its answer, in five windows."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import expect

from tests.e2e.product import Product
from tests.e2e.window import Window

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]
WHY = "Read in the conversation and in the events"


def test_from_a_limit_to_an_appeal(product: Product, window: Callable[..., Window]) -> None:
    client, reader = window("client", size=(390, 844)), window("reader")
    client.sign_in("client@demo.test")
    reader.sign_in("reader@demo.test")
    begin_with_a_limit(client, reader)
    reach_it_and_raise_it(client, reader, product)
    report_and_block(client, reader)
    moderator = window("moderator", size=(1280, 900))
    moderator.sign_in("moderator@demo.test")
    decide(moderator)
    # The reader is signed out by the suspension: the mail's link opens without.
    author = window("author", size=(390, 844))
    appeal(author, product)
    admin = window("admin", size=(820, 1100))
    admin.sign_in("admin@demo.test")
    answer(moderator, admin)
    expect_outcome(client, author, product)
    for side in (client, moderator, author, admin):
        assert side.unexpected() == []


def begin_with_a_limit(client: Window, reader: Window) -> None:
    client.page.goto("/readers/luna/")
    client.page.get_by_text("Start with a limit").click()
    client.page.get_by_label("At most").fill("1")
    client.check_accessibility()
    client.page.get_by_role("button", name="Start with this limit").click()
    reader.page.goto(client.page.url)
    reader.page.get_by_role("button", name="Answer").click()
    for side in (client, reader):
        side.sees_state("Live")
    expect(client.page.locator("[data-limit-words]")).to_have_text("Limit 1 minute, 0 minutes left to pay")
    expect(client.page.locator('[data-meter="countdown-label"]')).to_have_text("Your limit lasts")
    expect(client.page.locator("[data-meter-warning]")).to_contain_text(
        "Your limit lasts for less than a minute"
    )
    reader.say("I could tell you more for a gift card")
    expect(client.page.get_by_text("for a gift card")).to_be_visible()


def reach_it_and_raise_it(client: Window, reader: Window, product: Product) -> None:
    paid_until = datetime.fromisoformat(client.meter()["paid_until"])
    product.tick((paid_until + timedelta(seconds=20)).isoformat())
    client.sees_state("Paused")
    expect(client.page.get_by_text("Your limit is reached").first).to_be_visible()
    expect(reader.page.get_by_text("The client’s limit is reached").first).to_be_visible()
    assert client.meter()["minutes_billed"] == 1
    for side in (client, reader):
        side.check_accessibility()
    client.page.locator("[data-pause-limit]").click()
    client.page.get_by_role("dialog").get_by_label("Minutes in all").fill("5")
    client.check_accessibility()
    client.page.get_by_role("button", name="Set the limit").click()
    for side in (client, reader):
        side.sees_state("Live")
    expect(client.page.locator("[data-limit-words]")).to_have_text(
        re.compile(r"Limit 5 minutes, [34] minutes")
    )


def report_and_block(client: Window, reader: Window) -> None:
    client.page.get_by_role("button", name="Report", exact=True).click()
    dialog = client.page.get_by_role("dialog")
    dialog.get_by_label("What is wrong?").select_option("fraud")
    dialog.get_by_label("In your words").fill("She wanted gift cards")
    dialog.get_by_label("Block them too").check()
    client.check_accessibility()
    dialog.get_by_role("button", name="Send the report").click()
    for side in (client, reader):
        expect(side.page.get_by_role("heading", name="Your receipt")).to_be_visible(timeout=20_000)
    client.check_accessibility()
    client.page.goto("/safety/")
    expect(client.page.get_by_text("Waits to be looked at")).to_be_visible()
    expect(client.page.get_by_role("button", name="Unblock Luna")).to_be_visible()
    client.check_accessibility()


def decide(moderator: Window) -> None:
    page = moderator.page
    page.goto("/admin/dashboard/")
    moderator.check_accessibility()
    page.get_by_role("link", name=re.compile("Cases of flags")).click()
    expect(page.get_by_role("link", name="1", exact=True)).to_be_visible()
    moderator.check_accessibility()
    page.get_by_role("button", name="Take the next").click()
    expect(page.get_by_text("She wanted gift cards")).to_be_visible()
    expect(page.get_by_label("Last day")).to_be_hidden()
    page.locator("label.choice", has_text="Suspend").click()
    page.get_by_label("Rule", exact=True).select_option("honesty")
    page.get_by_label("Last day").fill((datetime.now(UTC) + timedelta(days=7)).strftime("%Y-%m-%d"))
    page.get_by_label("Reason").fill(WHY)
    moderator.check_accessibility()
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.get_by_text("Both sides are told.")).to_be_visible()
    moderator.check_accessibility()


def appeal(author: Window, product: Product) -> None:
    with psycopg.connect(product.facts["DATABASE_URL"]) as connection:
        row = connection.execute(
            "SELECT appeal_code FROM moderation_action ORDER BY id DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    author.page.goto(f"/safety/decisions/{row[0]}/")
    expect(author.page.get_by_text("A suspension")).to_be_visible()
    author.page.get_by_label("Why it should be taken back").fill("It was a joke about my shop")
    author.check_accessibility()
    author.page.get_by_role("button", name="Appeal").click()
    expect(author.page.get_by_text("Your appeal is in").first).to_be_visible()


def answer(moderator: Window, admin: Window) -> None:
    moderator.page.reload()
    expect(moderator.page.get_by_text("another moderator looks at it")).to_be_visible()
    page = admin.page
    page.goto("/admin/cases/")
    page.get_by_role("button", name="Take the next").click()
    expect(page.get_by_text("It was a joke about my shop")).to_be_visible()
    page.get_by_text("Look again").click()
    page.locator("label.choice", has_text="is taken back").click()
    page.get_by_label("Answer to the author").fill("We read it as a joke, too.")
    page.locator("#reason-look-again").fill(WHY)
    admin.check_accessibility()
    page.get_by_role("button", name="Decide the appeal").click()
    expect(page.get_by_text("overturn. Its author is told.")).to_be_visible()


def expect_outcome(client: Window, author: Window, product: Product) -> None:
    author.page.reload()
    expect(author.page.get_by_text("the decision is taken back")).to_be_visible()
    client.page.goto("/safety/reports/")
    expect(client.page.get_by_text("Looked at: nothing to act on")).to_be_visible()
    client.check_accessibility()
    client.page.get_by_role("link", name=re.compile("Reading: Cheating")).click()
    expect(client.page.get_by_role("heading", name="Thank you")).to_be_visible()
    client.page.goto("/readers/luna/")
    expect(client.page.get_by_role("heading", name="Luna", exact=True)).to_be_visible()
