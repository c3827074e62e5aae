"""The audit, the matrix, and the pages that ask to sign in again, in a real browser: axe-core content, nothing too wide."""

from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.jobs import runner
from soulseer.models.operations import AuditEntry
from soulseer.models.people import Login
from soulseer.services import suspensions
from tests import factories
from tests.admin.test_browser import AXE, address, page  # noqa: F401 - the fixtures

pytestmark = pytest.mark.browser


def sound(window: Page) -> None:
    assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), window.url
    window.evaluate(AXE.read_text("utf-8"))
    assert window.evaluate("axe.run(document)")["violations"] == [], window.url


def test_an_entry_tells_all_of_it(page: Page, app: Flask) -> None:  # noqa: F811
    about, actor = factories.person(), factories.person("admin")
    with transaction():
        suspensions.suspend(about.id, None, "cards of somebody else", actor.id, factories.START, None)
    entry = db.session.scalars(db.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    runner.run(runner.Request("chain_audit"))
    for width in (1280, 820):
        page.set_viewport_size({"width": width, "height": 900})
        for path in (f"/admin/audit/?person={about.id}", f"/admin/audit/{entry.id}/", "/admin/permissions/"):
            page.goto(path)
            sound(page)
    page.goto(f"/admin/audit/{entry.id}/")
    expect(page.get_by_role("row", name="suspended at")).to_contain_text("2026")
    expect(page.get_by_text("place 1,")).to_be_visible()


def test_a_change_sent_too_late_is_sent_after_signing_in_again(page: Page, app: Flask) -> None:  # noqa: F811
    # A window of its own: the refusal's status is a line in the browser's console, rightly so.
    page = page.context.new_page()
    page.goto("/admin/jobs/")
    page.get_by_text("Stop all billing", exact=False).first.click()
    with transaction():
        login = db.session.scalars(db.select(Login)).one()
        login.console_seen_at = clock.now() - timedelta(hours=1)
    form = page.locator('form[action="/admin/jobs/billing/stop/"]')
    form.locator("textarea").fill("A fault in the books, seen just now")
    form.get_by_role("button").click()
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    sound(page)
    where = page.get_by_role("link", name="Sign in again").get_attribute("href") or ""
    assert "anew=1" in where
    with transaction():
        db.session.scalars(db.select(Login)).one().console_seen_at = clock.now()
    page.goto(f"/admin/permissions/?draft={login.id}")
    sound(page)
    page.get_by_role("button", name="Send it now").click()
    expect(page).to_have_url("/admin/jobs/", timeout=10_000)
    with transaction():
        assert db.session.scalar(db.select(AuditEntry.reason).where(AuditEntry.action == "billing.stopped"))
