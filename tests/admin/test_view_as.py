"""Viewing as somebody else: their pages and nothing else, for a while, in one browser; nothing is written in their name."""

import re
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from soulseer import gateways
from soulseer.blueprints.viewing import VIEWABLE
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.gateways.presence import SIGNS
from soulseer.models.operations import AuditEntry
from soulseer.models.people import Person
from soulseer.models.readings import ReadingSession
from soulseer.models.staff_care import StaffView
from soulseer.services import people, staff_views
from tests import factories
from tests.admin.conftest import Browser, sign_in, statements
from tests.readings.room import Room

WHY = "Does not find the top-up in the wallet"
BANNER = "You see what {} sees"
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


def begin(staff: Browser, person: int) -> Any:
    return staff.post(f"/admin/people/{person}/view/", reason=WHY)


@pytest.fixture
def viewed(app: Flask, browser: Any) -> tuple[Browser, Room, Person]:
    """A member of staff who views as the client of a live reading."""
    room = Room().start()
    staff = browser("support")
    client = db.session.get_one(ReadingSession, room.id).client_id
    answer = begin(staff, client)
    assert (answer.status_code, answer.location) == (303, "/dashboard/")
    db.session.rollback()
    return staff, room, db.session.get_one(Person, client)


def addresses(app: Flask, room: Room) -> list[tuple[str, str, str]]:
    """(method, endpoint, address) of every route outside the console."""
    values = {"session_id": room.id, "reading_session_id": room.id, "slug": "luna", "kind": "session"}
    adapter = app.url_map.bind("127.0.0.1:8000")
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin"):
            continue
        given = {name: values.get(name, _some(rule, name)) for name in rule.arguments}
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append((method, rule.endpoint, adapter.build(rule.endpoint, given, method=method)))
    return found


def _some(rule: Any, name: str) -> Any:
    kind = type(rule._converters[name]).__name__
    if kind == "UUIDConverter":
        return "00000000-0000-4000-8000-000000000001"
    if kind == "AnyConverter":
        return next(iter(rule._converters[name].items))
    return 1 if kind in ("RowId", "IntegerConverter") else "x"


def test_nothing_but_the_list_passes(app: Flask, viewed: tuple[Browser, Room, Person]) -> None:
    """The whole map: every unsafe method and every page that is not on the list is refused; nothing is written."""
    staff, room, _ = viewed
    token = staff.token()
    walked = addresses(app, room)
    assert len(walked) > 80
    signs = gateways.current().presence.redis
    before = signs.zrange(SIGNS, 0, -1, withscores=True)
    assert before
    for method, endpoint, path in walked:
        if endpoint in VIEWABLE and method == "GET":
            continue
        with statements(app) as seen:
            answer = staff_call(staff, method, path, token)
        assert answer.status_code == 403, (method, endpoint, path, answer.status_code)
        assert not [each for each in seen if WRITES.match(each)], (path, seen)
    assert signs.zrange(SIGNS, 0, -1, withscores=True) == before


def staff_call(staff: Browser, method: str, path: str, token: str) -> Any:
    headers = {"X-CSRFToken": token}
    return Context().run(staff.client.open, path, method=method, headers=headers)


def test_what_is_on_the_list_shows_their_pages_and_writes_nothing(
    app: Flask, viewed: tuple[Browser, Room, Person]
) -> None:
    staff, room, person = viewed
    slug = factories.reader().slug
    shown = set()
    for method, endpoint, path in addresses(app, room):
        if endpoint not in VIEWABLE or method != "GET" or "static" in endpoint:
            continue
        path = path.replace("/luna/", f"/{slug}/")
        with statements(app) as seen:
            answer = staff.get(path)
        assert answer.status_code in (200, 302, 403), (path, answer.status_code)
        assert not [each for each in seen if WRITES.match(each)], (path, seen)
        if answer.status_code == 200:
            assert BANNER.format(person.handle) in answer.text, path
            assert "Stop viewing" in answer.text
            shown.add(endpoint)
    assert {"front.index", "dashboard.show", "wallet.show", "reading_list.show", "readers.show"} <= shown
    assert "Viewing" not in staff.get("/admin/people/").text


def test_it_ends_by_a_click(viewed: tuple[Browser, Room, Person]) -> None:
    staff, _, person = viewed
    ended = staff.post("/admin/people/view/end/")
    assert ended.location == f"/admin/people/{person.id}/"
    assert "Stop viewing" not in staff.get("/wallet/").text
    assert staff.post("/admin/people/view/end/").location == "/admin/people/"
    db.session.rollback()
    actions = db.session.scalars(
        select(AuditEntry.action).where(AuditEntry.actor_id == staff.person_id).order_by(AuditEntry.id)
    ).all()
    assert list(actions) == ["person.viewed_as", "person.view_ended"]


def test_it_ends_by_itself_and_the_next_click_does_nothing(viewed: tuple[Browser, Room, Person]) -> None:
    staff, _, _ = viewed
    token = staff.token()
    with time_machine.travel(clock.now() + staff_views.LASTS + timedelta(seconds=1), tick=True):
        answer = staff.post("/wallet/top-up/", token, amount="25.00")
        assert answer.status_code == 403
        assert "view has ended" in answer.text
        assert "Stop viewing" not in staff.get("/wallet/").text


def test_it_holds_in_one_browser_for_one_member_of_staff(
    app: Flask, browser: Any, viewed: tuple[Browser, Room, Person]
) -> None:
    staff, _, _ = viewed
    view_id = db.session.scalars(select(StaffView.id)).one()
    assert staff.person_id is not None
    for thief in (
        browser("support"),
        Browser(sign_in(app, staff.person_id), staff.person_id),
        browser("client"),
    ):
        with thief.client.session_transaction() as session:
            session[staff_views.KEY] = view_id
        assert "Stop viewing" not in thief.get("/wallet/").text


def test_nobody_views_as_staff_or_themselves(browser: Any) -> None:
    admin = browser("admin")
    for person in (admin.person_id, factories.person("client", "ops").id):
        assert begin(admin, person).status_code == 403
    assert begin(admin, 999999).status_code == 404
    client = factories.person().id
    assert admin.post(f"/admin/people/{client}/view/", reason="short").status_code == 422
    assert begin(browser("moderator"), client).status_code == 403
    assert db.session.scalars(select(StaffView)).all() == []


def test_who_becomes_staff_meanwhile_is_no_longer_seen(viewed: tuple[Browser, Room, Person]) -> None:
    staff, _, person = viewed
    assert "Stop viewing" in staff.get("/wallet/").text
    with transaction():
        people.grant_role(person.id, "finance", clock.now())
    assert "Stop viewing" not in staff.get("/wallet/").text
