"""The gallery, front, room and error pages in a real browser, phone and desktop."""

import re

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize

from tests.look.gallery import ROOT

pytestmark = pytest.mark.browser
PHONE, DESKTOP = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)
PAGES = [
    "/", "/?none=1", "/?as=client&sandbox=1", "/?as=admin", "/gallery?as=client", "/room?as=client",
    "/room?as=reader&level=ring", "/room?as=client&level=low", "/error/404", "/error/503",
]  # fmt: skip
SMALL = """() => [...document.querySelectorAll('a, button, summary, select, input:not([type=hidden])')].filter(e => {
  const box = e.getBoundingClientRect();
  const inText = getComputedStyle(e).display === 'inline';
  const covered = e.closest('.check, .visually-hidden, .skip-link');
  return box.width && !inText && !covered && e.checkVisibility() && (box.height < 24 || box.width < 24);
}).map(e => e.outerHTML.slice(0, 120))"""


def opened(
    browser: Browser, address: str, size: ViewportSize, *, script: bool = True
) -> tuple[Page, list[str]]:
    """A page at that size, and what its console complains of."""
    context = browser.new_context(
        viewport=size, timezone_id="Asia/Tokyo", locale="en-GB", java_script_enabled=script
    )
    page = context.new_page()
    complaints: list[str] = []

    def heard(said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            complaints.append(said.text)

    page.on("console", heard)
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.goto(address, wait_until="networkidle")
    return page, complaints


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_accessible_in_the_window_and_within_the_policy(
    gallery_browser: Browser, gallery_address: str, path: str, size: ViewportSize
) -> None:
    page, complaints = opened(gallery_browser, gallery_address + path, size)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    small = page.evaluate(SMALL)
    page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run(document)")["violations"]
    page.context.close()
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
    assert wide <= 0
    assert small == []
    assert [said for said in complaints if "404" not in said and "503" not in said] == []


def test_the_menu_works_without_script(gallery_browser: Browser, gallery_address: str) -> None:
    page, _ = opened(gallery_browser, gallery_address + "/?as=client", PHONE, script=False)
    assert not page.locator(".menu-panel").is_visible()
    page.locator("summary").click()
    assert page.locator(".menu-panel").get_by_role("link", name="Wallet").is_visible()
    page.context.close()


def test_escape_closes_the_menu_and_a_dialog(gallery_browser: Browser, gallery_address: str) -> None:
    page, _ = opened(gallery_browser, gallery_address + "/gallery?as=client", PHONE)
    page.locator("summary").click()
    page.keyboard.press("Escape")
    assert not page.locator(".menu-panel").is_visible()
    page.get_by_role("button", name="Top up").first.click()
    assert page.get_by_role("dialog", name="Top up").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    page.context.close()


def test_one_click_is_one_request(gallery_browser: Browser, gallery_address: str) -> None:
    page, _ = opened(gallery_browser, gallery_address + "/gallery?as=client", DESKTOP)
    page.evaluate("""() => {
        const form = document.querySelector('form.form-stack');
        form.noValidate = true;
        window.sent = 0;
        form.addEventListener('submit', () => (window.sent += 1));
        addEventListener('submit', (event) => event.preventDefault());  // last of all: stay on the page
    }""")
    button = page.get_by_role("button", name="Continue to payment")
    button.click()
    busy = page.get_by_role("button", name="One moment…")
    assert busy.get_attribute("aria-disabled") == "true"
    busy.click(force=True)
    assert page.evaluate("window.sent") == 1
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert button.is_enabled()
    page.context.close()


def test_instants_are_shown_in_the_browsers_zone(gallery_browser: Browser, gallery_address: str) -> None:
    page, _ = opened(gallery_browser, gallery_address + "/gallery?as=client", DESKTOP)
    shown = page.locator("time[data-local]").first
    assert re.search(r"21 Nov 2026,? (at )?03:04", shown.inner_text())  # 18:04 UTC in Tokyo
    assert "18:04 UTC" in (shown.get_attribute("title") or "")
    page.evaluate("""() => {
        const late = document.createElement('time');
        late.id = 'late'; late.dateTime = '2026-11-20T18:04:00Z'; late.dataset.local = 'time'; late.textContent = '18:04 UTC';
        document.querySelector('main').append(late);
    }""")
    page.wait_for_function("document.getElementById('late').textContent === '03:04'")
    page.context.close()


def test_the_keyboard_sees_where_it_is(gallery_browser: Browser, gallery_address: str) -> None:
    page, _ = opened(gallery_browser, gallery_address + "/?as=client", DESKTOP)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    for _ in range(8):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid", page.evaluate("document.activeElement.outerHTML")
    page.context.close()
