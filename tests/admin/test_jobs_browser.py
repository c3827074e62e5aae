"""Front page and jobs in a real browser: charts are drawn, a failed job is run again by keyboard and mouse, axe is content."""

import os
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page

from soulseer.db import db
from soulseer.domain import clock
from soulseer.jobs import count_days, runner
from soulseer.jobs.context import JobContext
from soulseer.jobs.runner import Request
from soulseer.models.operations import AuditEntry
from tests.admin.test_browser import AXE, address, page  # noqa: F401
from tests.admin.test_jobs_page import failed_run
from tests.admin.world import build

pytestmark = pytest.mark.browser
WHY = "The cause is mended, so it runs again"


def looked_at(window: Page, name: str) -> None:
    """Axe finds nothing, and nothing is wider than the window; with PICTURES a picture is kept there."""
    for width in (1280, 820):
        window.set_viewport_size({"width": width, "height": 900})
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
        if "PICTURES" in os.environ:
            window.screenshot(path=Path(os.environ["PICTURES"]) / f"{name}-{width}.png", full_page=True)
    window.evaluate(AXE.read_text("utf-8"))
    found = window.evaluate("axe.run(document)")["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]][:3]) for rule in found] == []


def test_a_failed_job_is_retried_and_the_front_page_knows(page: Page, app: Flask) -> None:  # noqa: F811
    build()
    run_id = failed_run()
    count_days.run(JobContext(now=clock.now()))
    page.goto("/admin/dashboard/")
    page.locator(".trend-plot canvas").nth(5).wait_for()
    looked_at(page, "front")
    page.goto(f"/admin/runs/{run_id}/")
    page.get_by_text("Retry…").click()
    page.locator("form[action$='/retry/']").get_by_label("Reason").fill(WHY)
    page.get_by_role("button", name="Run it again").click()
    page.wait_for_url("**/asked/**")
    db.session.rollback()
    asked = db.session.query(AuditEntry).filter_by(action="job.run_asked").one()
    slot = f"asked-{asked.object_id}"
    runner.run(Request("lift_suspensions", slot=slot, triggered_by=asked.actor_id, reason=WHY))
    page.wait_for_selector("text=It is over")
    page.goto(f"/admin/runs/{run_id}/")
    page.get_by_role("link", name="What came of the retry").click()
    page.wait_for_url("**/admin/runs/*/")
    assert "succeeded" in page.locator("h1").inner_text()


def test_billing_is_stopped_and_let_go_on_again(page: Page, app: Flask) -> None:  # noqa: F811
    build()
    page.goto("/admin/jobs/")
    page.get_by_text("Stop all billing…").click()
    page.locator("form[action$='/billing/stop/']").get_by_label("Reason").fill(WHY)
    page.get_by_role("button", name="Stop all billing").click()
    page.locator(".ribbon-stop").wait_for()
    looked_at(page, "jobs-stopped")
    page.goto("/admin/jobs/billing_tick/")
    looked_at(page, "job")
    page.goto("/")
    assert "All readings are paused" in page.locator(".ribbon-stop").inner_text()
    page.goto("/admin/jobs/")
    page.get_by_text("Let billing go on…").click()
    page.locator("form[action$='/billing/resume/']").get_by_label("Reason").fill(WHY)
    page.get_by_role("button", name="Let billing go on").click()
    page.locator(".ribbon-stop").wait_for(state="detached")
