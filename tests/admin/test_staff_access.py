"""Who is let into the console beside the roles: a second factor where the settings ask for it, and nobody away too long."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from soulseer.db import db, transaction
from soulseer.domain import clock, policies
from soulseer.domain.policies import StaffPolicy
from soulseer.gateways.identity import MULTI_FACTOR, _second_factor
from soulseer.models.operations import AuditEntry
from soulseer.models.people import Login
from tests.admin.conftest import Browser, sign_in, statements

REASON = "long enough a reason"
PAGE = "/admin/dashboard/"


@pytest.fixture
def rules(app: Flask):  # type: ignore[no-untyped-def]
    """``rules(second_factor=True)``: other rules for the staff, until the test is over."""
    before = policies.current()

    def given(**changes: object) -> None:
        policies.configure(replace(before, staff=replace(StaffPolicy(), **changes)))

    yield given
    policies.configure(before)


def login_of(staff: Browser) -> Login:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(
        db.select(Login).where(Login.person_id == staff.person_id).order_by(Login.created_at.desc()).limit(1)
    ).one()


def went_away(staff: Browser, minutes: int) -> None:
    with transaction():
        login_of(staff).console_seen_at = clock.now() - timedelta(minutes=minutes)


def test_without_a_second_factor_nobody_comes_in(browser, rules) -> None:  # type: ignore[no-untyped-def]
    staff: Browser = browser("admin")
    assert staff.get(PAGE).status_code == 200
    token = staff.token()
    rules(second_factor=True)
    answer = staff.get(PAGE)
    assert answer.status_code == 403
    assert "second factor" in answer.text
    assert "/login?anew=1" in answer.text
    assert staff.post("/admin/jobs/billing/stop/", token, reason=REASON).status_code == 403
    assert db.session.scalar(db.select(AuditEntry.id).where(AuditEntry.action == "billing.stopped")) is None
    with transaction():
        login_of(staff).second_factor = True
    assert staff.get(PAGE).status_code == 200


def test_who_was_away_signs_in_again(browser, rules) -> None:  # type: ignore[no-untyped-def]
    rules(idle=timedelta(minutes=30))
    staff: Browser = browser("admin")
    assert staff.get(PAGE).status_code == 200
    went_away(staff, 29)
    assert staff.get(PAGE).status_code == 200
    assert clock.now() - login_of(staff).console_seen_at < timedelta(minutes=1)
    went_away(staff, 31)
    answer = staff.get("/admin/sessions/?state=active")
    assert answer.status_code == 401
    assert "30 minutes" in answer.text
    assert "next=/admin/sessions/?state%3Dactive" in answer.text.replace("%2F", "/").replace("%3F", "?")
    # The site itself is not the console: there one stays signed in.
    assert staff.get("/dashboard/").status_code == 200


def test_a_sign_in_older_than_that_and_never_used_here_is_away_as_well(browser, rules) -> None:  # type: ignore[no-untyped-def]
    rules(idle=timedelta(minutes=30))
    staff: Browser = browser("admin")
    with transaction():
        login_of(staff).created_at = clock.now() - timedelta(hours=2)
    assert staff.get(PAGE).status_code == 401


def test_a_change_that_came_too_late_is_kept_and_sent_after_a_new_sign_in(app: Flask, browser, rules) -> None:  # type: ignore[no-untyped-def]
    rules(idle=timedelta(minutes=30))
    staff, other = browser("admin"), browser("admin")
    token = staff.token()
    went_away(staff, 45)
    answer = staff.post("/admin/jobs/billing/stop/", token, reason="<script>why</script> billing stops")
    assert answer.status_code == 401
    assert "Nothing was changed" in answer.text
    stopped = db.select(AuditEntry.id).where(AuditEntry.action == "billing.stopped")
    assert db.session.scalar(stopped) is None
    address = f"/admin/permissions/?draft={login_of(staff).id}"
    assert "Send it now" not in other.get(address).text

    anew = Browser(sign_in(app, staff.person_id), staff.person_id)  # type: ignore[arg-type]
    page = anew.get(address).text
    assert 'action="/admin/jobs/billing/stop/"' in page
    assert "<script>why" not in page
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    assert "why" in fields["reason"]
    done = anew.post("/admin/jobs/billing/stop/", anew.token(address), reason="billing stops, since asked")
    assert done.status_code == 303
    db.session.rollback()
    assert db.session.scalar(stopped) is not None


def test_the_last_use_is_written_once_a_minute(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    staff: Browser = browser("admin")
    staff.get(PAGE)
    with statements(app) as seen:
        staff.get(PAGE)
    assert not [one for one in seen if one.startswith("UPDATE")]


@pytest.mark.parametrize(
    ("claims", "has"),
    [
        ({"amr": ["mfa"]}, True),
        ({"amr": ["pwd", "otp"]}, True),
        ({"acr": MULTI_FACTOR}, True),
        ({"amr": ["pwd"]}, False),
        ({"amr": "mfa"}, False),
        ({"amr": [["mfa"], None, 1]}, False),
        ({"acr": "urn:other"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_a_second_factor(claims: dict[str, object], has: bool) -> None:
    assert _second_factor(claims) is has
