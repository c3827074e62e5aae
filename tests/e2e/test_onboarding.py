"""The demo applicant's way: asked for a document, answered, checked, approved by another, listed and online; four windows."""

import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.window import Window

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]
WHY = "Seen by video, the face fits the document"


def passport() -> dict:
    written = io.BytesIO()
    Image.new("RGB", (320, 200), "navy").save(written, "PNG")
    return {"name": "passport.png", "mimeType": "image/png", "buffer": written.getvalue()}


def test_an_applicant_is_asked_answers_and_goes_online(window: Callable[..., Window]) -> None:
    applicant, support = window("applicant", size=(390, 844)), window("support", size=(820, 1100))
    applicant.sign_in("applicant@demo.test")
    applicant.page.get_by_role("link", name="Where your application stands").click()
    expect(applicant.page.get_by_text("Handed in", exact=True).first).to_be_visible()
    support.sign_in("support@demo.test")
    ask(support)
    answer(applicant)
    check(support)
    admin = window("admin")
    admin.sign_in("admin@demo.test")
    approve(admin)
    go_online(applicant)
    client = window("client", size=(390, 844))
    client.page.goto("/readers/ada/")
    expect(client.page.get_by_role("heading", name="Ada").first).to_be_visible()
    for side in (applicant, support, admin, client):
        assert side.unexpected() == []


def ask(support: Window) -> None:
    """The board shows the application; the document is missing."""
    page = support.page
    page.goto("/admin/applications/")
    support.check_accessibility()
    page.locator(".board").get_by_role("link", name="Ada").click()
    expect(page.get_by_text("No document was handed in.")).to_be_visible()
    page.get_by_text("Ask for more…").click()
    form = page.locator("details.deed[open]")
    form.get_by_label("Identity document", exact=True).check()
    form.get_by_label("Words to the applicant").fill("We could not see your document yet.")
    form.get_by_label("Reason").fill("No document came with the application")
    form.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("The applicant is asked, by mail.")).to_be_visible()


def answer(applicant: Window) -> None:
    page = applicant.page
    page.goto("/apply/")
    expect(page.get_by_text("We could not see your document yet.")).to_be_visible()
    page.get_by_role("link", name="Who you are").click()
    page.get_by_label("Photo of your passport").set_input_files(passport())
    applicant.check_accessibility()
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_role("button", name="Hand the answer in").click()
    expect(page.get_by_text("We are looking at it")).to_be_visible()


def check(support: Window) -> None:
    page = support.page
    page.reload()
    page.get_by_text("Open the identity document").click()
    form = page.locator("#identity details.deed[open]")
    form.get_by_label("Reason").fill("To compare it with the face")
    form.get_by_role("button", name="Open it").click()
    page.wait_for_url("**/apply/files/**")
    page.go_back()
    for item in ("identity", "interview", "test_reading", "agreement", "payout"):
        place = page.locator(f"#{item}")
        place.locator("summary").filter(has_text="Check the").click()
        place.get_by_text("Waived" if item == "payout" else "Passed", exact=True).click()
        for score in place.locator("select").all():
            score.select_option("4")
        place.get_by_label("What you saw").fill(WHY)
        place.get_by_role("button", name="Note it").click()
        expect(page.locator(f"#{item}").get_by_text(WHY)).to_be_visible()


def approve(admin: Window) -> None:
    page = admin.page
    page.goto("/admin/applications/?state=in_review")
    page.locator(".board").get_by_role("link", name="Ada").click()
    page.get_by_text("Approve…").click()
    form = page.locator("details.deed[open]")
    form.get_by_label("Reason").fill("All five items are passed or waived")
    form.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Ada is a reader now, and listed.")).to_be_visible()
    admin.check_accessibility()


def go_online(applicant: Window) -> None:
    page = applicant.page
    page.goto("/apply/")
    expect(page.get_by_text("Clients find you")).to_be_visible()
    page.goto("/dashboard/reader/")
    page.get_by_label("I offer this").first.check()
    page.get_by_label("Dollars a minute").first.fill("1.99")
    page.get_by_role("button", name="Save the rates").click()
    page.goto("/dashboard/?as=reader")
    page.get_by_role("button", name="Go online").click()
    expect(page.get_by_role("button", name="Go offline")).to_be_visible()
