"""Who hears a ring, what a no is, and what becomes of a reader who does not answer."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain.errors import Forbidden, IllegalMove, RingDeclined
from soulseer.domain.readings import EndReason
from soulseer.gateways import bells as bells_gateway
from soulseer.jobs.context import JobContext
from soulseer.models.ledger import ReadingMinute
from soulseer.models.mail import MailMessage
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import LiveParticipant
from soulseer.services import ledger_check, reader_settings, readings, ringing, ringing_answers
from tests import factories
from tests.readings import room as rooms
from tests.readings.room import Room, at
from tests.readings.test_races import at_once, outcomes

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(autouse=True)
def declining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rooms.MOVES, "decline", ringing_answers.decline)


def old_memory() -> None:
    """As if Redis had been there for an hour."""
    gateways.current().presence.redis.set(
        bells_gateway.SINCE, int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    )


def mails(person_id: int) -> list[str]:
    return list(db.session.scalars(select(MailMessage.template).where(MailMessage.person_id == person_id)))


def test_a_ring_is_heard_by_the_reader_alone_until_it_is_answered() -> None:
    old_memory()
    room = Room("50.00", "2.99", modality="voice")
    ring = ringing.look(room.reader.person_id, at(1))
    assert ring is not None
    assert (ring.reading_session_id, ring.name, ring.modality, ring.rate) == (
        room.id,
        room.client.handle,
        "voice",
        Decimal("2.99"),
    )
    assert ringing.look(room.client.id, at(1), fresh=True) is None
    assert ringing.look(room.reader.person_id, ring.ring_until) is None
    room.do("join", "reader", 2)
    assert ringing.look(room.reader.person_id, at(3), fresh=True) is None


def test_with_no_bell_postgresql_is_not_asked(statements) -> None:
    reader = factories.reader()
    person_id = reader.person_id
    with statements() as young:
        assert ringing.look(person_id, at(0)) is None
    old_memory()
    with statements() as quiet:
        assert ringing.look(person_id, at(0)) is None
    with statements() as fresh:
        assert ringing.look(person_id, at(0), fresh=True) is None
    assert (len(young), len(quiet), len(fresh)) == (1, 0, 1)


def test_a_ring_is_heard_though_redis_lost_it_and_the_sweep_brings_the_bell_back() -> None:
    room = Room()
    gateways.current().presence.redis.flushall()
    assert ringing.look(room.reader.person_id, at(1)) is not None
    old_memory()
    assert ringing.look(room.reader.person_id, at(1)) is None
    assert ringing.ring_again(at(2)) == 1
    assert ringing.look(room.reader.person_id, at(3)) is not None


def test_an_older_ring_does_not_still_a_newer_bell() -> None:
    bells = gateways.current().presence.bells
    bells.ring(7, "ring-2", timedelta(seconds=60))
    bells.still(7, "ring-1")
    assert bells.heard(7).mark == "ring-2"
    bells.still(7, "ring-2")
    assert bells.heard(7).mark is None


def test_a_no_ends_the_ring_at_once_and_costs_nothing() -> None:
    room = Room("50.00")
    room.do("join", "client", 1)
    with pytest.raises(Forbidden):
        room.do("decline", "client", 2)
    assert room.do("decline", "reader", 3).session.end_reason == EndReason.DECLINED
    assert room.do("decline", "reader", 4).session.end_reason == EndReason.DECLINED
    with pytest.raises(RingDeclined) as refused:
        room.do("join", "client", 5)
    assert (refused.value.status, refused.value.code) == (410, "declined")
    room.finalize(6)
    assert (room.session.state, room.wallet) == ("finalized", Decimal("50.00"))
    assert db.session.scalar(select(func.count()).select_from(ReadingMinute)) == 0
    assert db.session.scalar(select(func.count()).select_from(LiveParticipant)) == 0
    assert ledger_check.check() == []


def test_a_reading_that_has_begun_cannot_be_declined() -> None:
    room = Room().start(1)
    with pytest.raises(IllegalMove):
        room.do("decline", "reader", 2)
    assert room.session.state == "active"


@pytest.mark.parametrize("_run", range(3))
def test_no_and_yes_at_once_come_to_one_of_them(app: Flask, _run: int) -> None:
    room = Room("50.00")
    room.do("join", "client", 1)
    results = at_once(app, [lambda: room.do("join", "reader", 2), lambda: room.do("decline", "reader", 2)])
    state = room.session.state
    assert outcomes(results) in ({"ok": 1, "illegal_move": 1}, {"ok": 1, "declined": 1})
    assert state == ("active" if isinstance(results[1], IllegalMove) else "ended")
    assert ledger_check.check() == []


def ring_in_vain(client: Person, reader: ReaderProfile, second: float) -> None:
    """A ring from ``second`` on that runs out."""
    with transaction():
        session = readings.request(client.id, reader.slug, "text", at(second))
    rooms.expire_grace_periods.run(JobContext(now=at(second + 120)))
    assert db.session.get_one(type(session), session.id, populate_existing=True).end_reason == "no_answer"


def profile(reader_id: int) -> ReaderProfile:
    db.session.rollback()
    return db.session.get_one(ReaderProfile, reader_id, populate_existing=True)


def test_two_rings_missed_in_a_row_take_the_reader_offline() -> None:
    client, reader = factories.person(wallet="50.00"), factories.reader()
    reader_id = reader.person_id
    ring_in_vain(client, reader, 0)
    assert profile(reader_id).online
    ring_in_vain(client, reader, 200)
    found = profile(reader_id)
    assert (found.online, found.offline_cause) == (False, "missed_rings")
    assert mails(reader_id) == ["missed_rings"]
    with transaction():
        reader_settings.set_online(reader_id, True, at(400))
    # What was missed before the switch was turned on again does not count.
    ring_in_vain(client, reader, 500)
    found = profile(reader_id)
    assert (found.online, found.offline_cause) == (True, None)


@pytest.mark.parametrize("between", ["decline", "join", "client_end"])
def test_an_answer_between_two_missed_rings_begins_the_count_anew(between: str) -> None:
    client, reader = factories.person(wallet="50.00"), factories.reader()
    reader_id = reader.person_id
    ring_in_vain(client, reader, 0)
    with transaction():
        session_id = readings.request(client.id, reader.slug, "text", at(200)).id
    room = Room.__new__(Room)
    room.id, room._people = session_id, {"client": client.id, "reader": reader_id}
    if between == "client_end":
        room.do("end", "client", 210)
    else:
        room.do(between, "reader", 210)
        if between == "join":
            room.do("end", "client", 211)
    ring_in_vain(client, reader, 400)
    # A ring that the client gave up before is neither answered nor missed.
    assert profile(reader_id).online is (between != "client_end")


def test_pages_carry_the_bar_for_an_online_reader_only(browser, visitor, statements) -> None:
    reader, client = factories.reader(slug="luna"), factories.person(wallet="50.00")
    person = db.session.get_one(Person, reader.person_id)
    reads, pays = browser(person), browser(client)
    assert "data-ring-bar" in reads.get("/readers/browse/").text
    for page in (pays.get("/readers/browse/"), visitor.get("/readers/browse/")):
        assert "ring/ring.js" not in page.text
    with statements() as asked:
        assert reads.get("/api/ring/").get_json()["ring"] is None
    assert len(asked) == 2  # the sign-in, and once since Redis is new
    old_memory()
    with statements() as asked:
        assert reads.get("/api/ring/").get_json()["ring"] is None
        nothing = {"online": False, "waits": False, "ring": None, "turn": None, "free": []}
        assert pays.get("/api/ring/").get_json().items() >= nothing.items()
    assert len(asked) == 2  # the two sign-ins
    assert visitor.get("/api/ring/").status_code == 401
    with transaction():
        reader_settings.set_online(person.id, False, at(0))
    assert "data-ring-bar" not in reads.get("/readers/browse/").text
    assert reads.get("/api/ring/").get_json()["online"] is False


def test_the_form_declines_and_a_stranger_cannot(browser) -> None:
    client, reader = factories.person(wallet="50.00"), factories.reader(slug="luna")
    with transaction():
        session_id = readings.request(client.id, "luna", "text", datetime.now(UTC)).id
    reads = browser(db.session.get_one(Person, reader.person_id))
    assert (
        browser(factories.reader().person_id and factories.person())
        .post(f"/ringing/{session_id}/decline/")
        .status_code
        == 403
    )
    assert browser(client).post(f"/ringing/{session_id}/decline/").status_code == 403
    found = reads.get("/api/ring/").get_json()["ring"]
    assert (found["session"], found["rate"], found["page"]) == (
        session_id,
        "1.99",
        f"/readings/{session_id}/",
    )
    answer = reads.post(f"/ringing/{session_id}/decline/")
    assert (answer.status_code, answer.location) == (303, "/dashboard/?as=reader")
    assert "could not take the reading" in browser(client).get(f"/readings/{session_id}/").text
    assert "You declined" in reads.get(f"/readings/{session_id}/").text
