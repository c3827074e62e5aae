"""In a real browser, on the phone and on the desk: filters in place, the bell, no overflow, nothing refused by the CSP."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, expect
from werkzeug.serving import make_server

from config.settings import REPOSITORY
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.people import Person
from soulseer.services import reviews
from tests import factories
from tests.factories import START
from tests.readers import sessions

pytestmark = pytest.mark.browser
SIZES = {"phone": (390, 844), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def address(migrated_app: Flask) -> Iterator[str]:
    assert (REPOSITORY / "soulseer/static/build/app.css").exists(), "not built: python3 dev.py assets"
    server = make_server("127.0.0.1", 0, migrated_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(timeout=5)


@pytest.fixture
def window(chromium: Chromium, address: str, browser):
    """A signed-in window; at the end of the test nothing may stand on its console as an error."""
    opened: list[BrowserContext] = []
    said: list[str] = []

    def open_window(person: Person | None = None, size: str = "desk", **options):
        width, height = SIZES[size]
        context = chromium.new_context(
            base_url=address, viewport={"width": width, "height": height}, **options
        )
        opened.append(context)
        if person is not None:
            cookie = browser(person).client.get_cookie("soulseer")
            context.add_cookies([{"name": "soulseer", "value": cookie.value, "url": address}])
        page = context.new_page()
        # A refused form (422) is told on the console by Chromium itself.
        page.on(
            "console", lambda m: said.append(m.text) if m.type == "error" and "422" not in m.text else None
        )
        page.on("pageerror", lambda error: said.append(str(error)))
        return page

    yield open_window
    for context in opened:
        context.close()
    assert said == []


def scene() -> tuple[Person, Person]:
    """A client with history and a reader with reviews, and a page full of others."""
    client, reader = factories.person(wallet="50.00", handle="clara"), factories.reader("1.99", slug="luna")
    for number in range(6):
        session_id = sessions.finished(client.id, reader.person_id, credit_cents=number)
        if number:
            with transaction():
                reviews.write(session_id, client.id, "4", "W" * 300 + "\n\nTwo.", START)
    for number in range(22):
        factories.reader("9.00", slug=f"other-{number}", online=number % 2 == 0)
    return client, db.session.get_one(Person, reader.person_id)


@pytest.mark.parametrize("size", SIZES)
def test_no_page_is_wider_than_its_window(app: Flask, window, size: str) -> None:
    client, reader = scene()
    for who, paths in (
        (None, ("/", "/readers/browse/", "/readers/luna/", "/readers/browse/?search=zzz&price_max=abc")),
        (client, ("/dashboard/", "/readings/list/", "/readings/1/review/", "/readers/luna/")),
        (reader, ("/dashboard/", "/dashboard/reader/", "/readings/list/", "/readers/luna/")),
    ):
        page = window(who, size)
        for path in paths:
            page.goto(path)
            wider = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wider <= 0, (path, wider)
            assert page.locator("h1").count() == 1, path


@pytest.mark.parametrize("size", SIZES)
def test_filters_change_the_list_in_place(app: Flask, window, size: str) -> None:
    scene()
    page = window(size=size)
    page.goto("/readers/browse/")
    page.evaluate("window.stayed = true")
    expect(page.locator(".reader-card")).to_have_count(20)
    page.get_by_label("At most, a minute").fill("2")
    page.get_by_label("At most, a minute").blur()
    expect(page.locator(".reader-card")).to_have_count(1)
    assert "price_max=2" in page.url
    page.get_by_label("At most, a minute").fill("0")
    page.get_by_label("At most, a minute").blur()
    expect(page.locator("#readers [role=alert]")).to_contain_text("could not be read")
    page.get_by_label("At most, a minute").fill("")
    page.get_by_label("Only those online").check()
    page.get_by_label("Search").fill("nobody at all")
    expect(page.get_by_text("No reader fits all of this")).to_be_visible()
    assert page.evaluate("window.stayed") is True
    page.go_back()
    expect(page.locator("h1")).to_have_text("Find your reader")


def test_filters_and_pages_work_without_script(app: Flask, window) -> None:
    scene()
    page = window(java_script_enabled=False)
    page.goto("/readers/browse/")
    page.get_by_label("Search").fill("tarot")
    page.get_by_role("button", name="Show").click()
    assert page.locator(".reader-card").count() == 20
    page.get_by_role("link", name="More readers").click()
    assert page.locator(".reader-card").count() == 3
    assert "search=tarot" in page.url


def test_the_bell_rings_and_falls_silent_by_itself(app: Flask, window) -> None:
    client, reader = factories.person(handle="clara"), factories.reader("1.99", slug="luna")
    page = window(db.session.get_one(Person, reader.person_id))
    page.goto("/dashboard/")
    expect(page.locator(".ring")).to_have_count(0)
    session_id = sessions.waiting(client.id, reader.person_id, now=clock.now())
    bar = page.locator("[data-ring-bar]")
    expect(bar.get_by_text("clara rings")).to_be_visible(timeout=6000)
    panel = page.locator(".ring-calls .button").first
    assert panel.get_attribute("href") == f"/readings/{session_id}/"
    expect(panel).to_be_hidden()
    answer = bar.get_by_role("button", name="Accept")
    answer.focus()
    # Another round of asking does not take the focus away.
    page.wait_for_timeout(3500)
    expect(answer).to_be_focused()
    sessions.over(session_id)
    expect(bar).to_be_hidden(timeout=6000)
    expect(page.locator(".ring")).to_have_count(0, timeout=6000)


def test_the_browser_tells_its_time_zone_once(app: Flask, window) -> None:
    client = factories.person()
    page = window(client, timezone_id="Europe/Lisbon")
    page.goto("/dashboard/")
    expect(page.get_by_text("Your time zone: Europe/Lisbon")).to_be_visible()
    elsewhere = window(client, timezone_id="Asia/Tokyo")
    elsewhere.goto("/dashboard/")
    expect(elsewhere.get_by_text("Your time zone: Europe/Lisbon")).to_be_visible()


def test_a_reader_goes_online_sets_a_rate_and_a_client_sees_it(app: Flask, window) -> None:
    reader = factories.reader("1.99", slug="luna", online=False)
    client = factories.person(wallet="50.00")
    own = window(db.session.get_one(Person, reader.person_id), "phone")
    own.goto("/dashboard/")
    own.get_by_role("button", name="Go online").click()
    expect(own.get_by_role("button", name="Go offline")).to_be_visible()
    own.get_by_role("link", name="Change rates and profile").click()
    own.locator("#text_rate").fill("2.50")
    own.get_by_role("button", name="Save the rates").click()
    expect(own.get_by_text("Your rates are saved")).to_be_visible()
    page = window(client, "phone")
    page.goto("/readers/luna/")
    expect(page.get_by_text("Your wallet covers 20 minutes.")).to_be_visible()


def test_a_review_by_keyboard(app: Flask, window) -> None:
    client, reader = factories.person(handle="clara"), factories.reader(slug="luna")
    session_id = sessions.finished(client.id, reader.person_id)
    page = window(client)
    page.goto(f"/readings/{session_id}/review/")
    page.get_by_label("3 stars").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.get_by_label("Your words").fill("Kind.")
    page.get_by_role("button", name="Publish the review").click()
    expect(page.get_by_text("Thank you. Your review")).to_be_visible()
    expect(page.locator(".review")).to_contain_text("Kind.")
    expect(page.locator(".profile-facts .rating")).to_contain_text("4.0")
