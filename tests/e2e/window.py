"""A person at a browser: what is done over and over, in the words of the page."""

import re
from decimal import Decimal
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

from config.settings import REPOSITORY
from tests.browsers import listen

AXE = REPOSITORY / "node_modules/axe-core/axe.min.js"
CARD = "4242 4242 4242 4242"


class Window:
    """One browser window with its own cookies, and all that its console complained of."""

    def __init__(self, name: str, context: BrowserContext) -> None:
        self.name = name
        self.context = context
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        listen(self.page, self.complaints)

    def unexpected(self, *expected: str) -> list[str]:
        """Complaints but those that hold one of ``expected``, and 409: a call (a repeated join, a token) that crossed with
        an end, which the page takes as what it is."""
        known = ("status of 409", *expected)
        return [said for said in self.complaints if not any(words in said for words in known)]

    def sign_in(self, email: str) -> None:
        """From the front page through the OpenID provider's own page."""
        self.page.goto("/")
        self.page.get_by_role("link", name="Sign in").first.click()
        expect(self.page.get_by_role("heading", name="Who would you like to be?")).to_be_visible()
        self.page.get_by_role("button", name=email).click()
        self.page.wait_for_url("**/dashboard/")

    @property
    def message(self) -> Locator:
        return self.page.get_by_label("Your message")

    def say(self, text: str) -> None:
        """Write a message and press Enter."""
        self.message.fill(text)
        self.message.press("Enter")

    def figure(self, name: str) -> str:
        """What the meter shows under ``data-meter=name``."""
        return self.page.locator(f'[data-meter="{name}"]').inner_text().strip()

    def dollars(self, name: str) -> Decimal:
        """A figure of money."""
        return Decimal(re.sub(r"[^0-9.-]", "", self.figure(name)))

    def sees_state(self, word: str, seconds: float = 10) -> None:
        expect(self.page.locator('[data-meter="state"]')).to_have_text(word, timeout=seconds * 1000)

    def meter(self) -> dict[str, Any]:
        """The meter as our own API tells it to this person."""
        session_id = re.findall(r"/readings/(\d+)/", self.page.url)[0]
        answer: dict[str, Any] = self.page.request.get(f"/api/sessions/{session_id}/").json()
        return answer

    def spoken(self) -> list[str]:
        """The messages of the two, without the remarks of the house."""
        return self.page.locator(".message-mine [data-text], .message-theirs [data-text]").all_inner_texts()

    def check_accessibility(self) -> None:
        """axe-core finds nothing, and the page is not wider than the window."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("axe.run(document)")["violations"]
        assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == [], self.page.url
        assert self.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def pay(page: Page) -> None:
    """Pay on the hosted checkout page with a good card."""
    expect(page.get_by_role("heading", name="Checkout")).to_be_visible()
    page.get_by_label("Card number").fill(CARD)
    page.get_by_role("button", name=re.compile(r"^Pay \$")).click()
