"""Report and block over HTTP: in the room, after it, on a profile; and the author's page of a decision."""

import re
from collections.abc import Callable
from contextvars import Context

import pytest
from sqlalchemy import func, select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.errors import ReaderUnavailable
from soulseer.domain.moderation import Deed
from soulseer.models.moderation import Appeal, Flag, ModerationCase
from soulseer.models.people import Block, Person
from soulseer.services import case_decisions, readings, suspensions
from soulseer.services.case_decisions import Decision
from tests import factories
from tests.admin.conftest import Browser, sign_in, statements
from tests.factories import START
from tests.moderation import planted
from tests.readings.room import Room

FORM = {"reason": "fraud", "note": "She asked for gift cards"}


@pytest.fixture
def browse(app, monkeypatch) -> Callable[[int], Browser]:
    """A signed-in person's browser, with the business clock at START."""
    monkeypatch.setattr(clock, "now", lambda: START)
    return lambda person_id: Browser(sign_in(app, person_id), person_id)


def api(who: Browser, path: str, body: dict | None = None, method: str = "POST"):
    token = who.token("/safety/")
    options = {"method": method, "json": body or {}, "headers": {"X-CSRFToken": token}}
    return Context().run(who.client.open, path, **options)


def test_a_reading_is_reported_once_and_its_outcome_seen(browse) -> None:
    seen = planted.reading()
    who = browse(seen.client.id)
    address = f"/safety/report/session/{seen.session_id}/"
    assert "What is wrong?" in who.get(address).text
    refused = who.post(address, who.token("/safety/"), reason="", note="")
    assert (refused.status_code, "Choose what is wrong." in refused.text) == (422, True)
    first, again = (who.post(address, who.token("/safety/"), **FORM) for _ in range(2))
    assert (first.status_code, again.status_code) == (303, 303)
    assert first.location == again.location
    assert "Thank you" in who.get(first.location).text
    case = db.session.scalars(select(ModerationCase)).one()
    assert (case.author_id, case.flag_count) == (seen.reader.person_id, 1)
    moderator = factories.person("moderator").id
    with transaction():
        case_decisions.decide(
            case.id,
            moderator,
            Decision(Deed.WARN, "Read it twice", policy="honesty", canned="please_stop"),
            START,
        )
    shown = who.get("/safety/reports/").text
    assert "We acted on it" in shown
    assert "warn" not in shown.lower().split("<main")[1]
    stranger = browse(factories.person().id)
    assert stranger.get(first.location).status_code == 404
    assert stranger.get(address).status_code == 404


def test_reported_and_blocked_in_the_room_the_reading_ends(browse) -> None:
    room = Room().start()
    who = browse(room.client.id)
    body = {"kind": "session", "object_id": str(room.id), "reason": "threat", "note": "", "block": True}
    answers = [api(who, "/api/reports/", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json == {"id": 1, "blocked": True}
    assert (room.session.state, room.session.end_reason) == ("ended", "client_ended")
    with pytest.raises(ReaderUnavailable), transaction():
        readings.request(room.client.id, room.reader.slug, "text", START)
    assert db.session.scalar(select(func.count()).select_from(Block)) == 1


@pytest.mark.parametrize("side", ["client", "reader"])
def test_a_block_ends_the_reading_as_ended_by_that_side_and_holds_both_ways(browse, side: str) -> None:
    room = Room().start()
    answer = api(browse(room.person(side)), f"/api/sessions/{room.id}/block/")
    assert (answer.status_code, answer.json["end_reason"]) == (200, f"{side}_ended")
    with pytest.raises(ReaderUnavailable), transaction():
        readings.request(room.client.id, room.reader.slug, "text", START)
    assert api(browse(factories.person().id), f"/api/sessions/{room.id}/block/").status_code == 403


def test_blocked_on_a_profile_listed_and_taken_back(browse) -> None:
    seen = planted.reading()
    who = browse(seen.client.id)
    profile = who.get(f"/readers/{seen.reader.slug}/").text
    assert f"/safety/report/reader/{seen.reader.slug}/" in profile
    for _ in range(2):
        assert who.post("/safety/block/", who.token("/safety/"), reader=seen.reader.slug).status_code == 303
    handle = db.session.get_one(Person, seen.reader.person_id).handle
    assert handle in who.get("/safety/").text
    receipt = who.get(f"/readings/{seen.session_id}/").text
    assert f"/safety/report/session/{seen.session_id}/" in receipt
    assert who.post("/safety/unblock/", who.token("/safety/"), handle=handle).status_code == 303
    assert who.post("/safety/unblock/", who.token("/safety/"), handle=handle).status_code == 404
    assert "Nobody is blocked" in who.get("/safety/").text
    own = browse(seen.reader.person_id)
    assert own.post("/safety/block/", own.token("/safety/"), reader=seen.reader.slug).status_code == 422


def test_a_reader_reports_a_review_of_their_own_page(browse) -> None:
    seen = planted.reading()
    who = browse(seen.reader.person_id)
    address = f"/safety/report/review/{seen.review_id}/"
    assert "She is a fraud" in who.get(address).text
    assert who.post(address, who.token("/safety/"), **FORM).status_code == 303
    assert db.session.scalars(select(Flag.note)).one() == FORM["note"]


def test_the_client_limits_a_reading_by_form_and_in_the_room(browse) -> None:
    reader, client = factories.reader("1.99"), factories.person(wallet="50.00")
    who = browse(client.id)
    form = {"reader": reader.slug, "modality": "text", "limit": "money", "limit_value": "10.00"}
    for wrong in ("nonsense", "1.00", "-3", "0"):
        assert (
            who.post("/readings/start/", who.token("/safety/"), **form | {"limit_value": wrong}).status_code
            == 422
        )
    begun = who.post("/readings/start/", who.token("/safety/"), **form)
    assert begun.status_code == 303
    session_id = int(re.findall(r"\d+", begun.location)[0])
    path = f"/api/sessions/{session_id}/"
    meter = who.get(path).json
    assert (meter["max_amount"], meter["max_minutes"], meter["ceiling_minutes_left"]) == ("10.00", None, 5)
    raised = api(who, path + "ceiling/", {"max_minutes": 8}, "PUT").json
    assert (raised["max_amount"], raised["max_minutes"], raised["ceiling_minutes_left"]) == (None, 8, 8)
    assert api(who, path + "ceiling/", {"max_minutes": 8, "max_amount": "9.00"}, "PUT").status_code == 422
    assert api(who, path + "ceiling/", {}, "PUT").json["ceiling_minutes_left"] is None
    other = browse(reader.person_id)
    assert api(other, path + "ceiling/", {"max_minutes": 8}, "PUT").status_code == 403
    told = other.get(path).json
    assert (told["max_amount"], told["max_minutes"], told["ceiling_minutes_left"]) == (None, None, None)


def test_a_suspended_author_appeals_by_the_code_in_the_mail(app, browse) -> None:
    seen = planted.reading()
    case_id = planted.flag("review", seen.review_id, seen.reader.person_id)
    moderator = factories.person("moderator").id
    with transaction():
        action = case_decisions.decide(
            case_id,
            moderator,
            Decision(Deed.BAN, "Read it twice", policy="respect", canned="goodbye"),
            START,
        )
        code = action.appeal_code
    assert suspensions.live_session(seen.client.id) is None
    nobody = Browser(app.test_client(), None)
    page = nobody.get(f"/safety/decisions/{code}/")
    assert (page.status_code, "The account is closed" in page.text) == (200, True)
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found
    token = found[1]
    assert nobody.post(f"/safety/decisions/{code}/", token, words="").status_code == 422
    for _ in range(2):
        assert nobody.post(f"/safety/decisions/{code}/", token, words="It was not me").status_code == 303
    assert "Your appeal is in" in nobody.get(f"/safety/decisions/{code}/").text
    assert db.session.scalars(select(Appeal.words)).one() == "It was not me"
    assert nobody.get("/safety/decisions/guessed/").status_code == 404


def test_the_pages_ask_the_database_few_things(app, browse) -> None:
    seen = planted.reading()
    who = browse(seen.client.id)
    people = [factories.person().id for _ in range(12)]
    with transaction():
        db.session.add_all(
            Block(blocker_id=seen.client.id, blocked_id=person, created_at=START) for person in people
        )
    for person in people[:5]:
        planted.flag("profile", person, seen.client.id)
    for path in ("/safety/", "/safety/reports/", f"/safety/report/session/{seen.session_id}/"):
        who.get(path)
        with statements(app) as asked:
            assert who.get(path).status_code == 200
        assert len(asked) <= 4, (path, asked)


def test_a_case_of_each_kind_is_shown_with_few_statements(app, browse) -> None:
    seen = planted.reading()
    client, reader = seen.client.id, seen.reader.person_id
    cases = [
        planted.flag("session", seen.session_id, client),
        planted.flag("review", seen.review_id, reader),
        planted.flag("message", seen.message, client),
        planted.flag("profile", reader, client),
    ]
    who = browse(factories.person("moderator").id)
    for path in ["/admin/cases/", *(f"/admin/cases/{case_id}/" for case_id in cases)]:
        who.get(path)
        with statements(app) as asked:
            assert who.get(path).status_code == 200
        assert len(asked) <= 12, (path, asked)
