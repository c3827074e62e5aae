"""The application's pages on a phone and at a desk, and the console's: axe finds nothing, nothing is wider than the window."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.onboarding import Gate
from soulseer.services import application_reviews, applications, reader_gates
from tests import factories
from tests.admin.conftest import sign_in
from tests.admin.test_browser import AXE, address
from tests.browsers import listen
from tests.onboarding import planted
from tests.onboarding.planted import WHY

PHONE, DESK, TABLET = (390, 844), (1280, 900), (820, 1100)
__all__ = ["address"]
pytestmark = pytest.mark.browser


@pytest.fixture
def look(chromium: Browser, address: str, app: Flask) -> Callable[..., None]:
    """``look(person_id, size, *paths)``: opens each path, opens what can be opened, and has axe look at it."""

    def looked(person_id: int, size: tuple[int, int], *paths: str) -> None:
        cookie = sign_in(app, person_id).get_cookie("soulseer")
        assert cookie is not None
        context = chromium.new_context(base_url=address, viewport={"width": size[0], "height": size[1]})
        context.add_cookies([{"name": "soulseer", "value": cookie.value, "url": address}])
        page = context.new_page()
        complaints: list[str] = []
        listen(page, complaints)
        told = [fault for path in paths for fault in faults(page, path, size[0])]
        context.close()
        assert (told, complaints) == ([], [])

    return looked


def faults(page: Page, path: str, width: int) -> list[object]:
    page.goto(path)
    if os.environ.get("SCREENSHOTS"):
        name = f"{path.strip('/').replace('/', '-')}-{page.locator('h1').inner_text()[:12]}-{width}.png"
        page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / name.replace(" ", "_"), full_page=True)
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document)")["violations"]
    told: list[object] = [(path, rule["id"], [node["html"] for node in rule["nodes"]][:3]) for rule in found]
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        told.append((path, "wider than the window"))
    return told


def test_an_applicant_at_every_stage(look, storage) -> None:
    now = clock.now()
    draft = factories.person().id
    with transaction():
        applications.begin(draft, now)
    steps = [f"/apply/{name}/" for name in ("identity", "profile", "sample", "agreement", "tax", "payout")]
    asked, staff = planted.handed_in(now=now), factories.person("support").id
    with transaction():
        application_reviews.ask_more(
            asked.id, staff, ["identity_file_id", "sample"], "Two things, please.\nThank you.", WHY, now
        )
    turned_away = planted.handed_in(now=now)
    with transaction():
        day = now.date() + timedelta(days=90)
        application_reviews.reject(
            turned_away.id, staff, "test_reading", "Come back in spring.", day, WHY, now
        )
    reader = planted.approved(now=now)
    with transaction():
        reader_gates.close_by_staff(
            reader.person_id, Gate.PAYABLE, staff, "Your bank sent a transfer back", now
        )
    for size in (PHONE, DESK):
        look(factories.person().id, size, "/apply/")
        look(draft, size, "/apply/", *steps)
        look(planted.handed_in(now=now).person_id, size, "/apply/")
        for person_id in (asked.person_id, turned_away.person_id, reader.person_id):
            look(person_id, size, "/apply/")


def test_the_board_and_an_application(look) -> None:
    now = clock.now()
    waiting = [
        planted.handed_in(said=f"number {number}", now=now - timedelta(hours=number)) for number in range(6)
    ]
    admin = factories.person("admin").id
    planted.checked(waiting[0].id, admin, now)
    reader = planted.approved(now=now)
    for size in (DESK, TABLET):
        look(
            admin, size, "/admin/applications/", f"/admin/applications/{waiting[0].id}/",
            f"/admin/applications/{waiting[1].id}/", f"/admin/applications/{reader.id}/",
        )  # fmt: skip
