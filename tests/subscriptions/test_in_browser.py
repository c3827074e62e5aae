"""In a real browser: from the plans to the checkout and back, a change, a cancellation; on the phone and on the desk."""

import re

import pytest
from playwright.sync_api import Page, expect

from config.settings import REPOSITORY
from tests.browsers import listen
from tests.money_in.browser import signed_in

pytestmark = pytest.mark.browser
AXE = REPOSITORY / "node_modules/axe-core/axe.min.js"
# A colour half-way to another is no colour of the page.
AT_REST = """Promise.allSettled(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished))"""


def looks_right(page: Page) -> None:
    """Nothing wider than the window, and nothing that axe-core finds."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
    page.evaluate(AXE.read_text("utf-8"))
    page.evaluate(AT_REST)
    found = page.evaluate("axe.run(document)")["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []


@pytest.mark.parametrize("size", [(390, 844), (1280, 900)], ids=["phone", "desk"])
def test_from_the_plans_to_a_plan_and_out_again(member, app, chromium, size: tuple[int, int]) -> None:
    reader = member()
    # The stand-in of this test is not at the address that the app's policy was made for.
    context = chromium.new_context(
        base_url=reader.sandbox.product, viewport={"width": size[0], "height": size[1]}, bypass_csp=True
    )
    cookie = signed_in(app, reader.sandbox, reader.person_id).cookie
    context.add_cookies([{"name": "soulseer", "value": cookie, "domain": "127.0.0.1", "path": "/"}])
    page, said = context.new_page(), list[str]()
    listen(page, said)
    page.goto("/membership/")
    page.get_by_role("link", name="By the year").first.click()
    expect(page.get_by_text("$4,990.00")).to_be_visible()
    page.get_by_role("link", name="By the month").first.click()
    page.get_by_role("button", name="Choose Enterprise").click()
    page.get_by_role("button", name=re.compile("^Pay")).click()
    expect(page.get_by_text("Waiting for confirmation")).to_be_visible()
    looks_right(page)
    reader.settle()
    # The page looks by itself every three seconds.
    expect(page.get_by_text("Enterprise member")).to_be_visible(timeout=15_000)
    looks_right(page)
    page.get_by_role("link", name="Change to Professional").click()
    expect(page.get_by_text("To pay now")).to_be_visible()
    looks_right(page)
    page.get_by_role("button", name="Change the plan").click()
    expect(page.get_by_text("Your plan is changed.")).to_be_visible()
    page.get_by_role("button", name="Cancel the plan").click()
    expect(page.get_by_role("button", name="Keep the plan")).to_be_visible()
    looks_right(page)
    page.get_by_role("button", name="Card and invoices at Stripe").click()
    expect(page.get_by_role("heading", name="Billing portal")).to_be_visible()
    page.get_by_role("link", name="Back to SoulSeer").click()
    expect(page.get_by_text("Professional member")).to_be_visible()
    assert said == []
    context.close()
    assert (reader.plan(), reader.row().cancel_at_period_end) == ("professional", True)
