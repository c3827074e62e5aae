"""A person in full: every part says what is there, paged; suspend and lift exactly; notes; sign-ins; who may act on whom."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, Forbidden, InvalidInput
from soulseer.jobs import lift_suspensions
from soulseer.jobs.context import JobContext
from soulseer.models.mail import MailMessage
from soulseer.models.operations import AuditEntry
from soulseer.models.people import Login, Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingMessage, ReadingSession
from soulseer.models.staff_care import StaffNote, StaffSuspension
from soulseer.services import console_person, logins, staff_care, suspensions
from soulseer.services.console import Window
from tests import factories
from tests.admin.conftest import sign_in, statements
from tests.admin.world import build
from tests.factories import START
from tests.readings.room import Room

WHY = "They asked us by telephone"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0"


def again(model: Any, number: Any) -> Any:
    """The row as it is now."""
    db.session.rollback()
    return db.session.get_one(model, number, populate_existing=True)


def tomorrow() -> str:
    return str((clock.now() + timedelta(days=1)).date())


def test_each_part_tells_what_is_there(browser: Any) -> None:
    world = build()
    staff = browser("admin")
    here = f"/admin/people/{world.client}"
    assert f'href="/admin/sessions/{world.over}/"' in staff.get(f"{here}/sessions/").text
    assert f'href="/admin/top-ups/{world.top_up}/"' in staff.get(f"{here}/payments/").text
    assert f'href="/admin/refunds/{world.refund}/"' in staff.get(f"{here}/refunds/").text
    assert "planted" in staff.get(f"{here}/audit/").text
    assert (
        f'href="/admin/payouts/{world.payout}/"'
        in staff.get(f"/admin/people/{world.paid_reader}/payouts/").text
    )
    with transaction():
        reader = db.session.get_one(ReadingSession, world.over).reader_id
    assert f'href="/admin/cases/{world.case}/"' in staff.get(f"/admin/people/{reader}/cases/").text
    deeds = staff.get(f"/admin/people/{staff.person_id}/deeds/")
    assert deeds.status_code == 200
    assert staff.get("/admin/people/999999/sessions/").status_code == 404
    assert staff.get(f"{here}/nonsense/").status_code == 404


def test_each_part_asks_little_and_is_for_its_roles(browser: Any, app: Any) -> None:
    world = build()
    staff = {role: browser(role) for role in ("support", "moderator", "finance", "ops", "client")}
    mine = {name: path for name, path in world.actions().items() if f"/people/{world.client}/" in path}
    for path in world.person_pages():
        staff["support"].get(path)
        with statements(app) as seen:
            assert staff["support"].get(path).status_code == 200, path
        assert len(seen) <= 12, (path, seen)
        for role in ("moderator", "finance", "ops", "client"):
            assert staff[role].get(path).status_code == 403, (role, path)
    assert len(mine) >= 8
    for path in mine.values():
        assert staff["support"].get(path).status_code == 405, path
        assert staff["support"].post(path, "", reason=WHY).status_code == 400, path
        assert staff["moderator"].post(path, reason=WHY).status_code == 403, path


def test_messages_are_counted_and_never_shown(browser: Any) -> None:
    room = Room().start()
    secret = "What nobody of staff may read"
    with transaction():
        session = db.session.get_one(ReadingSession, room.id)
        for number, sender in enumerate((session.client_id, session.client_id, session.reader_id), 1):
            db.session.add(
                ReadingMessage(
                    reading_session_id=room.id,
                    number=number,
                    sender_id=sender,
                    client_key=uuid.UUID(int=number),
                    body=secret,
                    created_at=START,
                )
            )
    (row,) = console_person.messages(session.client_id, Window()).rows
    assert (row.sent, row.received, row.pictures, row.first) == (2, 1, 0, START)
    text = browser("admin").get(f"/admin/people/{session.client_id}/messages/").text
    assert f'href="/admin/sessions/{room.id}/"' in text
    assert secret not in text


def test_readings_of_both_sides_go_by_place(app: Any, superuser: Any) -> None:
    rooms = [Room() for _ in range(3)]
    for room in rooms:
        room.start()
        room.do("end", "client", 20)
    person = rooms[0].client.id
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute("UPDATE reading_session SET client_id = %s", [person])
    reader = again(ReadingSession, rooms[0].id).reader_id
    seen = console_person.sessions(person, Window(2))
    assert [row.id for row in seen.rows] == [rooms[2].id, rooms[1].id]
    older = console_person.sessions(person, Window(2, before=seen.older))
    assert [(row.id, row.side) for row in older.rows] == [(rooms[0].id, "client")]
    assert [row.id for row in console_person.sessions(person, Window(2, after=older.newer)).rows] == [
        rooms[2].id,
        rooms[1].id,
    ]
    assert [row.side for row in console_person.sessions(reader, Window()).rows] == ["reader"]


def test_suspended_and_lifted_exactly(app: Any, browser: Any) -> None:
    room = Room().start()
    with transaction():
        reader = db.session.get_one(ReadingSession, room.id).reader_id
    before = again(ReaderProfile, reader)
    was = (before.status, before.listed, before.online)
    staff = browser("support")
    path = f"/admin/people/{reader}"
    assert staff.post(f"{path}/suspend/", reason=WHY, until="2020-01-01").status_code == 422
    assert staff.post(f"{path}/suspend/", reason=WHY, until="soon").status_code == 422
    assert staff.post(f"{path}/suspend/", reason=WHY, until=tomorrow()).status_code == 303
    assert staff.post(f"{path}/suspend/", reason=WHY, until=tomorrow()).status_code == 409
    person = again(Person, reader)
    assert person.suspended_at is not None
    assert person.suspended_until > clock.now() + timedelta(days=1)
    assert again(ReadingSession, room.id).state in ("ended", "finalized")
    assert again(ReaderProfile, reader).status == "suspended"
    assert sign_in(app, reader).get("/dashboard/").status_code in (302, 403)
    text = staff.get(f"{path}/").text
    assert WHY in text
    assert "Lift the suspension" in text
    assert staff.post(f"{path}/lift/", reason=WHY).status_code == 303
    assert staff.post(f"{path}/lift/", reason=WHY).status_code == 409
    person, profile = again(Person, reader), again(ReaderProfile, reader)
    assert (person.suspended_at, person.suspended_until, person.suspended_reason) == (None, None, None)
    assert (profile.status, profile.listed, profile.online) == was
    mails = db.session.scalars(select(MailMessage.template).where(MailMessage.person_id == reader)).all()
    assert {"account_suspended", "account_unsuspended"} <= set(mails)
    actions = db.session.scalars(
        select(AuditEntry.action).where(
            AuditEntry.object_type == "person", AuditEntry.object_id == str(reader)
        )
    ).all()
    assert {"person.suspended", "person.suspension_lifted"} <= set(actions)


def test_its_time_ends_a_suspension_of_staff(app: Any) -> None:
    reader = factories.reader().person_id
    actor = factories.person("support").id
    with transaction():
        until = staff_care.suspend(reader, START.date(), actor, WHY, START)
    later = until + timedelta(seconds=1)
    assert suspensions.due(until - timedelta(seconds=1)) == []
    assert lift_suspensions.run(JobContext(now=later, arguments={}, dry_run=False)) == {
        "lifted": 1,
        "error": 0,
    }
    assert again(Person, reader).suspended_at is None
    assert again(ReaderProfile, reader).status == "verified"
    row = db.session.scalars(select(StaffSuspension)).one()
    assert (row.lifted_at, row.lifted_by) == (later, None)
    with transaction():
        staff_care.suspend(reader, later.date(), actor, WHY, later)


def test_nobody_acts_on_themselves_and_on_staff_only_an_admin(app: Any) -> None:
    support, other, admin = (factories.person(role).id for role in ("support", "moderator", "admin"))
    for person, actor in ((support, support), (other, support), (admin, support), (admin, admin)):
        with pytest.raises(Forbidden), transaction():
            staff_care.suspend(person, START.date(), actor, WHY, START)
    with transaction():
        staff_care.suspend(other, START.date(), admin, WHY, START)
    with pytest.raises(Forbidden), transaction():
        staff_care.lift(other, other, WHY, START)
    with pytest.raises(Conflict), transaction():
        staff_care.lift(factories_client(), admin, WHY, START)
    with pytest.raises(InvalidInput), transaction():
        staff_care.suspend(support, (START + timedelta(days=400)).date(), admin, WHY, START)


def factories_client() -> int:
    """Somebody who is not suspended; inside transaction()."""
    made = Person(issuer="http://127.0.0.1:9/", subject="calm", handle="calm-one", created_at=START)
    db.session.add(made)
    db.session.flush()
    return made.id


def test_a_case_that_decided_since_is_not_lifted_here(app: Any) -> None:
    person, actor = factories.person().id, factories.person("support").id
    with transaction():
        staff_care.suspend(person, START.date(), actor, WHY, START)
    with transaction():
        suspensions.suspend(person, None, "A case", actor, START + timedelta(minutes=1))
    with pytest.raises(Conflict, match="case"), transaction():
        staff_care.lift(person, actor, WHY, START + timedelta(minutes=2))


def test_their_reading_ends(browser: Any) -> None:
    room = Room().start()
    with transaction():
        client = db.session.get_one(ReadingSession, room.id).client_id
    staff = browser("support")
    assert staff.post(f"/admin/people/{client}/end-reading/", reason=WHY).status_code == 303
    assert again(ReadingSession, room.id).state in ("ended", "finalized")
    assert staff.post(f"/admin/people/{client}/end-reading/", reason=WHY).status_code == 409


def test_notes_are_pinned_and_withdrawn(browser: Any) -> None:
    person = factories.person().id
    staff = browser("support")
    body = "<script>alert('x')</script> calls often"
    assert staff.post(f"/admin/people/{person}/notes/add/", reason=body, pinned="1").status_code == 303
    note = db.session.scalars(select(StaffNote)).one()
    assert (note.person_id, note.author_id, note.body, note.pinned) == (person, staff.person_id, body, True)
    for path in (f"/admin/people/{person}/", f"/admin/people/{person}/notes/"):
        text = staff.get(path).text
        assert "&lt;script&gt;alert" in text
        assert "<script>alert" not in text
    withdraw = f"/admin/people/{person}/notes/{note.id}/withdraw/"
    assert (
        staff.post(f"/admin/people/{staff.person_id}/notes/{note.id}/withdraw/", reason=WHY).status_code
        == 404
    )
    assert staff.post(withdraw, reason=WHY).status_code == 303
    assert staff.post(withdraw, reason=WHY).status_code == 409
    assert "calls often" not in staff.get(f"/admin/people/{person}/").text
    assert "calls often" in staff.get(f"/admin/people/{person}/notes/").text
    audit = db.session.scalars(
        select(AuditEntry).where(AuditEntry.action.like("person.note%")).order_by(AuditEntry.id)
    ).all()
    assert [entry.action for entry in audit] == ["person.noted", "person.note_withdrawn"]
    assert "calls often" not in str([(entry.reason, entry.details) for entry in audit])


def test_sign_ins_are_shown_in_part_and_ended(app: Any, browser: Any) -> None:
    person = factories.person().id
    with transaction():
        first, second = (
            logins.start(person, clock.now(), id_token="secret", address=address, user_agent=FIREFOX)
            for address in ("203.0.113.77", "2001:db8:1234:5678::9")
        )
    staff = browser("support")
    path = f"/admin/people/{person}"
    text = staff.get(f"{path}/devices/").text
    assert "Firefox, Windows" in text
    assert "203.0.113.0/24" in text
    assert "2001:db8:1234::/48" in text
    for hidden in ("203.0.113.77", "5678", "rv:130", "secret"):
        assert hidden not in text.replace(str(first), "").replace(str(second), ""), hidden
    assert staff.post(f"{path}/end-logins/", reason=WHY, login="nonsense").status_code == 422
    stranger = factories.person().id
    assert (
        staff.post(f"/admin/people/{stranger}/end-logins/", reason=WHY, login=str(first)).status_code == 404
    )
    assert staff.post(f"{path}/end-logins/", reason=WHY, login=str(first)).status_code == 303
    assert staff.post(f"{path}/end-logins/", reason=WHY, login=str(first)).status_code == 409
    assert again(Login, first).ended_at is not None
    assert again(Login, first).id_token is None
    assert again(Login, second).ended_at is None
    assert staff.post(f"{path}/end-logins/", reason=WHY, login="all").status_code == 303
    assert again(Login, second).ended_at is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (None, "unknown"),
        ("curl/8", "unknown"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/130 Safari/537.36 Edg/130", "Edge, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18 Safari/604.1", "Safari, iPhone or iPad"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/130 Mobile Safari/537.36", "Chrome, Android"),
    ],
)
def test_a_browser_is_named_by_its_family(words: str | None, said: str) -> None:
    assert console_person.browser_of(words) == said


@pytest.mark.parametrize(
    ("address", "said"), [(None, "unknown"), ("x", "unknown"), ("10.1.2.3", "10.1.2.0/24")]
)
def test_a_network_is_told_and_not_the_address(address: str | None, said: str) -> None:
    assert console_person.network_of(address) == said
