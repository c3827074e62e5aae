"""Every address of the console, by every role and by nobody, against the matrix; and what each may not do."""

import pytest
from flask import Flask

from soulseer.admin import permissions
from tests.admin.conftest import Browser, statements
from tests.admin.world import SCRIPT, build

EVERYBODY = ("client", "reader", *sorted(permissions.STAFF))
MOST_STATEMENTS = 12


def test_the_crawl_knows_every_address(app: Flask) -> None:
    """A page or an action that the lists of this test miss would not be crawled."""
    world = build()
    adapter = app.url_map.bind("127.0.0.1:8000")
    reached = {adapter.match(path.partition("?")[0])[0] for paths in world.pages().values() for path in paths}
    reached |= {adapter.match(path, method="POST")[0] for path in world.actions().values()}
    reached |= {adapter.match(path, method="POST")[0] for path in world.takes()}
    reached |= {"admin.index", "admin.static", "admin_jobs.asked", "admin_people.end_view"}
    assert reached == {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")}


@pytest.mark.parametrize("role", EVERYBODY)
def test_each_role_reaches_what_the_matrix_says(browser, role: str) -> None:  # type: ignore[no-untyped-def]
    world = build()
    staff: Browser = browser(role)
    for page, paths in world.pages().items():
        for path in paths:
            answer = staff.get(path)
            expected = 200 if permissions.may_see(page, [role]) else 403
            assert answer.status_code == expected, (role, path, answer.text[:2000])


@pytest.mark.parametrize("role", EVERYBODY)
def test_each_role_does_what_the_matrix_says(browser, role: str) -> None:  # type: ignore[no-untyped-def]
    """A reason that is too short is refused (422) only after the role was let in."""
    world = build()
    staff: Browser = browser(role)
    token = staff.token("/" if role in ("client", "reader") else "/admin/dashboard/")
    for action, path in world.actions().items():
        answer = staff.post(path, token, reason="short", key="00000000-0000-4000-8000-000000000001")
        assert answer.status_code == (422 if permissions.may_do(action, [role]) else 403), (role, path)
    for path in world.takes():
        answer = staff.post(path, token)
        assert answer.status_code == (303 if permissions.may_do("claim_case", [role]) else 403), (role, path)


def test_nobody_is_sent_to_sign_in(browser) -> None:  # type: ignore[no-untyped-def]
    world = build()
    nobody: Browser = browser()
    for path in ["/admin/", *(path for paths in world.pages().values() for path in paths)]:
        answer = nobody.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/login?next=%2Fadmin") or "/login" in answer.location


def test_the_menu_shows_only_what_the_role_may_see(browser) -> None:  # type: ignore[no-untyped-def]
    for role in permissions.STAFF:
        shown = browser(role).get("/admin/dashboard/").text
        for page in permissions.PAGES:
            address = f'href="/admin/{page.replace("_", "-")}/'
            assert (address in shown) == permissions.may_see(page, [role]), (role, page)


def test_changes_need_a_post_with_the_token(browser) -> None:  # type: ignore[no-untyped-def]
    world = build()
    staff: Browser = browser("admin")
    for path in [*world.actions().values(), *world.takes()]:
        assert staff.get(path).status_code == 405, path
        assert staff.post(path, "", reason="long enough a reason").status_code == 400, path


def test_script_is_shown_and_never_run(browser) -> None:  # type: ignore[no-untyped-def]
    world = build()
    staff: Browser = browser("admin")
    for paths in world.pages().values():
        for path in paths:
            answer = staff.get(path)
            assert "<script>alert" not in answer.text, path
            assert "style=" not in answer.text
            assert "javascript:" not in answer.text
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
    for path in (
        f"/admin/people/{world.client}/",
        f"/admin/runs/{world.run}/",
        f"/admin/webhooks/{world.webhook}/",
    ):
        assert "&lt;script&gt;alert" in staff.get(path).text, path
    assert SCRIPT not in staff.get("/admin/audit/").text


@pytest.mark.parametrize(
    "wrong", ["999999999", "9223372036854775807", "99999999999999999999", "0", "-1", "x", "1e3"]
)
def test_wrong_ids_are_not_found(browser, wrong: str) -> None:  # type: ignore[no-untyped-def]
    staff: Browser = browser("admin")
    for page in permissions.PAGES:
        if page not in ("dashboard", "jobs"):
            assert staff.get(f"/admin/{page.replace('_', '-')}/{wrong}/").status_code == 404, page
    assert staff.get(f"/admin/transactions/minutes/{wrong}/1/").status_code == 404
    assert staff.get(f"/admin/transactions/minutes/1/{wrong}/").status_code == 404
    assert staff.get(f"/admin/jobs/{wrong}/").status_code == 404
    assert staff.get(f"/admin/jobs/asked/{wrong}/").status_code == 404
    token = staff.token()
    assert (
        staff.post(f"/admin/sessions/{wrong}/end/", token, reason="long enough a reason").status_code == 404
    )
    assert (
        staff.post(f"/admin/alerts/{wrong}/resolve/", token, reason="long enough a reason").status_code == 404
    )


NONSENSE = [
    "",
    "'",
    "%",
    "\\",
    "💥" * 300,
    "9" * 40,
    "-1",
    "NaN",
    "2026-13-45",
    "0001-01-01",
    "9999-12-31",
    SCRIPT,
]


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_in_filters_is_told_and_left_out(browser, app: Flask, value: str) -> None:  # type: ignore[no-untyped-def]
    staff: Browser = browser("admin")
    for view in app.extensions["admin"][0]._views:
        fields = [wanted.field for wanted in getattr(view, "_filters", None) or ()]
        for field in [*fields, "before", "after", "page_size", "sort", "page", "flt0_0", "unknown"]:
            answer = (
                staff.get(view.url + "/", query_string={field: value})
                if fields
                else staff.get(view.url + "/")
            )
            assert answer.status_code in (200, 302), (view.url, field, value)
    assert staff.get("/admin/accounts/1/", query_string={"from": value}).status_code == 200


def test_no_page_asks_the_database_too_often(browser, app: Flask) -> None:  # type: ignore[no-untyped-def]
    world = build()
    staff: Browser = browser("admin")
    for paths in world.pages().values():
        for path in paths:
            staff.get(path)
            with statements(app) as seen:
                assert staff.get(path).status_code == 200
            assert len(seen) <= MOST_STATEMENTS, (path, len(seen), seen)
