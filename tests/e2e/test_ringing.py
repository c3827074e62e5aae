"""A ring far from the dashboard: declined, then accepted with one click; and word for one who waits meanwhile."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.product import Product
from tests.e2e.test_other_ways import ring
from tests.e2e.window import Window

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]


def test_declined_and_accepted_from_another_page_while_a_third_waits(
    product: Product, window: Callable[..., Window]
) -> None:
    client, reader, third = window("client"), window("reader", size=(390, 844)), window("third")
    product.empty_wallet("broke@demo.test")
    client.sign_in("client@demo.test")
    reader.sign_in("reader@demo.test")
    third.sign_in("broke@demo.test")
    reader.page.goto("/readers/browse/")

    ring(client)
    bar = reader.page.locator("[data-ring-bar]")
    expect(bar).to_contain_text("rings")
    reader.check_accessibility()
    bar.get_by_role("button", name="Decline").click()
    expect(bar).to_be_hidden()
    expect(client.page.get_by_role("heading", name="No reading took place")).to_be_visible()
    expect(client.page.get_by_text("Luna could not take the reading just now").first).to_be_visible()

    ring(client)
    bar.get_by_role("button", name="Accept").click()
    for side in (client, reader):
        side.sees_state("Live")
    assert client.meter()["minutes_billed"] == 1

    third.page.goto("/readers/luna/")
    expect(third.page.get_by_text("In a reading").first).to_be_visible()
    third.page.get_by_role("button", name="Join the queue").click()
    expect(third.page.get_by_text("does not cover the shortest reading")).to_be_visible()
    third.page.get_by_role("button", name="Tell me when free").click()
    expect(third.page.get_by_text("We will tell you when Luna is free")).to_be_visible()
    third.page.reload()
    third.page.goto("/readers/browse/")
    reader.page.get_by_role("button", name="End", exact=True).click()
    reader.page.get_by_role("button", name="End the reading").click()
    told = third.page.locator("[data-turn-bar]")
    expect(told).to_contain_text("Luna is free now", timeout=40_000)
    third.check_accessibility()
    told.get_by_role("link", name="To Luna").click()
    expect(third.page.get_by_role("heading", name="Luna", exact=True)).to_be_visible()
    for side in (client, reader, third):
        assert side.unexpected() == []
