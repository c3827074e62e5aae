"""Lists: filters, pages by place, and the guards on what Flask-Admin would do by itself."""

import re
from pathlib import Path
from typing import Any

from flask import Flask
from flask_admin.contrib.sqla import ModelView

from soulseer.admin import permissions
from soulseer.admin.base import CHANGING_ROUTES, ListView
from soulseer.db import db, transaction
from soulseer.models.operations import JobRun
from tests import factories
from tests.admin.world import build

ROOT = Path(__file__).parents[2]


def ids(page: str, text: str) -> list[int]:
    """The ids in the first column of a list."""
    return [int(found) for found in re.findall(rf'<td class="col-id"><a href="/admin/{page}/(\d+)/"', text)]


def runs(count: int) -> None:
    with transaction():
        db.session.add_all(
            JobRun(
                job="billing_tick" if number % 2 else "close_lost_runs",
                started_at=factories.START,
                finished_at=factories.START,
                outcome="succeeded",
            )
            for number in range(count)
        )


def test_pages_go_by_place_there_and_back(app: Flask, browser: Any) -> None:
    runs(45)
    staff = browser("ops")
    seen, path, pages = [], "/admin/runs/", []
    while path:
        pages.append(path)
        text = staff.get(path).text
        seen += ids("runs", text)
        found = re.search(r'href="([^"]+)" rel="next"', text)
        path = found.group(1).replace("&amp;", "&") if found else ""
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 45
    back = re.search(r'href="([^"]+)" rel="prev"', staff.get(pages[-1]).text)
    assert back
    assert ids("runs", staff.get(back.group(1).replace("&amp;", "&")).text) == seen[20:40]


def test_filters_and_page_size_stay_with_the_pages(app: Flask, browser: Any) -> None:
    runs(130)
    staff = browser("ops")
    text = staff.get("/admin/runs/?job=billing_tick&page_size=50").text
    assert len(ids("runs", text)) == 50
    onward = re.search(r'href="([^"]+)" rel="next"', text)
    assert onward
    assert "job=billing_tick" in onward.group(1)
    assert len(ids("runs", staff.get(onward.group(1).replace("&amp;", "&")).text)) == 15
    assert len(ids("runs", staff.get("/admin/runs/?page_size=100000").text)) == 20


def test_sessions_are_found_by_person_state_and_day(browser: Any) -> None:
    world = build()
    staff = browser("support")

    def found(query: str) -> list[int]:
        return ids("sessions", staff.get(f"/admin/sessions/?{query}").text)

    assert found("") == [world.live, world.over]
    assert found("state=active") == [world.live]
    assert found(f"client={world.client}") == [world.over]
    assert found("client=nobody") == []
    assert found("modality=video") == []
    assert found("since=2026-11-20&until=2026-11-20") == [world.live, world.over]
    assert found("since=2026-11-21") == []
    text = staff.get("/admin/sessions/?state=nonsense").text
    assert "does not fit" in text


def test_flask_admin_changes_nothing_by_itself(app: Flask) -> None:
    admin = app.extensions["admin"][0]
    assert {view.page for view in admin._views} == set(permissions.PAGES)
    for view in admin._views:
        assert not isinstance(view, ModelView)
        for flag in ("can_create", "can_edit", "can_delete", "can_export"):
            assert not getattr(view, flag, False), (view, flag)
        if isinstance(view, ListView):
            assert max(view.page_size_options) <= 100
    endpoints = [
        rule.endpoint.split(".") for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")
    ]
    assert not [endpoint for endpoint in endpoints if endpoint[-1] in CHANGING_ROUTES]


def test_only_what_the_matrix_calls_an_action_takes_a_post(app: Flask) -> None:
    """Each action has one address of its own; a POST without one only takes work, or ends one's own view."""
    taking = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/admin") and rule.methods and rule.methods - {"GET", "HEAD", "OPTIONS"}
    }
    world = build()
    adapter = app.url_map.bind("127.0.0.1:8000")
    acting = [adapter.match(path, method="POST")[0] for path in world.actions().values()]
    assert len(acting) == len(set(acting))
    taken = {adapter.match(path, method="POST")[0] for path in world.takes()}
    assert taking == {*acting, *taken, "admin_people.end_view"}
    assert {*world.actions(), "claim_case"} == set(permissions.ACTIONS)


def test_the_console_never_commits_and_leaves_jobs_alone() -> None:
    for path in (*(ROOT / "soulseer/admin").glob("*.py"), *(ROOT / "soulseer/services").glob("console*.py")):
        text = path.read_text("utf-8")
        assert ".commit(" not in text, path.name
        assert "soulseer.jobs" not in text, path.name
        assert "soulseer.blueprints" not in text, path.name
