"""The front page: what waits for whom, trends that come to what the rows say, and a page that stays short of statements."""

from datetime import timedelta
from decimal import Decimal

from flask import Flask
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.jobs import count_days
from soulseer.jobs.context import JobContext
from soulseer.services import billing_stops, console_now, console_trends
from tests import factories
from tests.admin.conftest import Browser, statements
from tests.admin.world import build
from tests.factories import START
from tests.readings.room import Room

DAY = timedelta(days=1)
FINANCE_SEES = ("Refunds to approve", "Ledger alerts", "Differences with Stripe", "Disputes to answer")


def reading(dropped: bool) -> Room:
    """A reading of two minutes; with ``dropped`` the client was lost in its second."""
    room = Room().start()
    room.beats(10, 70)
    if dropped:
        room.beats(80, 130, "reader")
    else:
        room.do("end", "client", 75)
    return room


def test_each_role_is_shown_its_own_duties(browser) -> None:  # type: ignore[no-untyped-def]
    build()
    shown = {
        role: browser(role).get("/admin/dashboard/").text for role in ("finance", "moderator", "ops", "admin")
    }
    for label in FINANCE_SEES:
        assert label in shown["finance"]
        assert label not in shown["moderator"]
        assert label not in shown["ops"]
    assert "Cases of flags" in shown["moderator"]
    assert "Runs failed" in shown["ops"]
    assert 'href="/admin/refunds/?state=requested"' in shown["finance"]
    for duty in console_now.DUTIES:
        assert duty.label in shown["admin"], duty.name


def test_a_duty_has_its_number_and_its_age(app: Flask) -> None:
    build()
    db.session.rollback()
    found = console_now.counts(clock.now())
    assert (
        found["refunds"].count
        == db.session.scalar(text("SELECT count(*) FROM refund WHERE state = 'requested'"))
        > 0
    )
    assert found["refunds"].oldest is not None
    assert found["alerts"].count > 0


def test_a_day_comes_to_what_the_rows_say(app: Flask) -> None:
    for dropped in (False, True, False):
        reading(dropped)
    day = START.date()
    assert console_trends.of_day(day + DAY)["sessions"] == 0
    figures = console_trends.of_day(day)
    assert (figures["sessions"], figures["dropped"], figures["minutes"]) == (3, 1, 6)
    assert figures["charged"] == 6 * 199
    assert figures["revenue"] == db.session.scalar(text("SELECT sum(platform_part) FROM reading_minute"))


def test_days_are_counted_once_checked_and_counted_again(app: Flask) -> None:
    reading(True)
    later = START + 2 * DAY
    counts = count_days.run(JobContext(now=later))
    assert (counts["days"], counts["changed"], counts["differ"]) == (60, [], [])
    assert count_days.run(JobContext(now=later))["days"] == console_trends.UNSETTLED
    seen = console_trends.trends(later)
    sessions = next(line for line in seen.lines if line.name == "sessions")
    rate = next(line for line in seen.lines if line.name == "dropped")
    assert (sum(sessions.values), sessions.sum_, sessions.before, sessions.change) == (1, 1, 0, None)
    assert (rate.sum_, rate.change) == (Decimal("100.0"), None)
    assert seen.missing == 0
    # Somebody meddled with what is kept: a dry run finds it, a run puts it right and says so.
    with transaction():
        db.session.execute(
            text("UPDATE daily_figures SET minutes = minutes + 1 WHERE day = :day"), {"day": START.date()}
        )
    assert count_days.run(JobContext(now=later, dry_run=True))["differ"] == [START.date().isoformat()]
    assert count_days.run(JobContext(now=later))["changed"] == [START.date().isoformat()]
    assert count_days.run(JobContext(now=later, dry_run=True))["differ"] == []


def test_the_front_page_asks_little_and_tells_that_billing_is_stopped(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    build()
    staff: Browser = browser("admin")
    count_days.run(JobContext(now=clock.now()))
    person = factories.person("ops").id
    with transaction():
        billing_stops.stop(person, "a test of the page", clock.now())
    try:
        staff.get("/admin/dashboard/")
        with statements(app) as seen:
            page = staff.get("/admin/dashboard/").text
        assert len(seen) <= 12, seen
        assert "All billing is stopped since" in page
        assert page.count("data-trend=") == 6
        assert page.count("data-day=") == 31
        assert "All billing is stopped since" in browser("moderator").get("/admin/sessions/").text
    finally:
        with transaction():
            billing_stops.lift(person, "a test of the page", clock.now())
