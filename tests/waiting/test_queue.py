"""The queue of a busy reader: order, the turn, and everything that may happen to one who waits."""

from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from soulseer.db import db, transaction
from soulseer.domain import policies
from soulseer.domain.errors import (
    AlreadyLive,
    AlreadyQueued,
    InsufficientFunds,
    InvalidInput,
    ReaderHeld,
    ReaderUnavailable,
)
from soulseer.models.people import Person
from soulseer.services import ledger_check, reader_settings, readings, waiting, waiting_view
from tests import factories
from tests.readings.room import at
from tests.readings.test_races import at_once, outcomes
from tests.waiting.scene import Busy, bell, block, end_of, mails

pytestmark = pytest.mark.usefixtures("app")
HOLD = policies.WaitingPolicy().hold.total_seconds()


def test_the_first_has_two_minutes_in_which_nobody_else_can_ring() -> None:
    busy = Busy()
    first, second, stranger = busy.join(10), busy.join(11), factories.person(wallet="50.00").id
    assert busy.tend(12)["held"] == 0  # the reader is still in a reading
    with pytest.raises(AlreadyLive):
        busy.ring(first, 13)
    busy.over(30)
    with pytest.raises(ReaderHeld) as refused:  # before any job has run, too
        busy.ring(stranger, 31)
    assert (refused.value.status, refused.value.code) == (409, "reader_held")
    assert busy.tend(32)["held"] == 1
    assert busy.places() == ["held", "waiting"]
    assert mails(first) == ["queue_turn"]
    assert bell(first) is not None
    for other in (second, stranger):
        with pytest.raises(ReaderHeld):
            busy.ring(other, 33)
    busy.ring(first, 34)
    assert busy.places() == ["served", "waiting"]
    assert ledger_check.check() == []


def test_a_turn_that_is_not_taken_goes_to_the_next() -> None:
    busy = Busy()
    first, second = busy.join(10), busy.join(11)
    busy.over(30)
    busy.tend(31)
    assert busy.tend(31 + HOLD - 1)["lapsed"] == 0
    with pytest.raises(ReaderHeld):  # the turn is over, whether or not a job has seen it
        busy.ring(first, 31 + HOLD)
    done = busy.tend(31 + HOLD)
    assert (done["lapsed"], done["held"]) == (1, 1)
    assert busy.places() == ["lapsed", "held"]
    assert waiting_view.news(second, at(40 + HOLD)).turn is not None
    busy.tend(31 + 2 * HOLD)
    assert busy.places() == ["lapsed", "lapsed"]
    busy.ring(factories.person(wallet="50.00").id, 32 + 2 * HOLD)


def test_no_turn_runs_out_while_the_reader_cannot_be_rung() -> None:
    busy = Busy()
    first = busy.join(10)
    busy.over(30)
    busy.tend(31)
    with transaction():  # the reader is in a reading of another, as a client
        db.session.execute(
            text("INSERT INTO live_participant (person_id, reading_session_id) VALUES (:who, :session)"),
            {"who": busy.reader.person_id, "session": busy.id},
        )
    busy.tend(31 + HOLD + 50)
    assert busy.places() == ["held"]
    with transaction():
        db.session.execute(text("DELETE FROM live_participant"))
    busy.ring(first, 31 + HOLD + 60)


def test_who_cannot_ring_is_passed_over() -> None:
    busy = Busy()
    poor, banned, hidden, elsewhere, ready = (busy.join(10 + number) for number in range(5))
    busy.over(30)
    with transaction():
        db.session.get_one(Person, banned).suspended_at = at(31)
    spend, spare = factories.reader("49.00"), factories.reader()
    with transaction():
        readings.request(elsewhere, spare.slug, "text", at(31))
    with transaction():
        session_id = readings.request(poor, spend.slug, "text", at(31)).id
    room = Busy.__new__(Busy)
    room.id, room._people = session_id, {"client": poor, "reader": spend.person_id}
    room.start(32)
    room.do("end", "client", 33)
    block(busy.reader.person_id, hidden, at(31))
    done = busy.tend(40)
    assert (done["closed"], done["held"]) == (4, 1)
    assert busy.places() == [
        "closed:funds",
        "closed:suspended",
        "closed:blocked",
        "closed:client_busy",
        "held",
    ]
    assert waiting_view.news(ready, at(41)).turn is not None
    assert mails(banned) == []


def test_a_reader_who_goes_offline_closes_the_queue_and_all_are_told_later() -> None:
    busy = Busy()
    waits = [busy.join(10), busy.join(11)]
    busy.over(30)
    busy.tend(31)
    with transaction():
        reader_settings.set_online(busy.reader.person_id, False, at(40))
    assert busy.tend(41)["closed"] == 2
    assert busy.places() == ["closed:reader_offline"] * 2
    assert busy.notices() == ["open", "open"]
    with pytest.raises(ReaderUnavailable):
        busy.queue(waits[0], 42)
    with transaction():
        reader_settings.set_online(busy.reader.person_id, True, at(50))
    assert busy.tend(51)["told"] == 2
    assert mails(waits[1]) == ["queue_closed", "reader_free"]


def test_joining_has_rules_and_leaving_makes_way() -> None:
    busy = Busy()
    first = busy.join(10)
    place = busy.queue(first, 11)
    assert busy.queue(first, 12) == place  # once more is the same place
    other = factories.reader(slug="other")
    with pytest.raises(AlreadyQueued), transaction():
        waiting.join(first, other.slug, at(13))
    for refusal, client_id in (
        (InvalidInput, busy.reader.person_id),
        (AlreadyLive, busy.client.id),
        (InsufficientFunds, factories.person(wallet="1.98").id),
    ):
        with pytest.raises(refusal), transaction():
            waiting.join(client_id, busy.slug, at(13))
    enemy = factories.person(wallet="50.00").id
    block(enemy, busy.reader.person_id, at(13))
    with pytest.raises(ReaderUnavailable):
        busy.queue(enemy, 14)
    second = busy.join(15)
    with transaction():
        waiting.leave(first, busy.slug, at(16))
    found = waiting_view.standing(busy.slug, second, at(17))
    assert found is not None
    assert (found.place, found.length, busy.places()) == (1, 1, ["left", "waiting"])


def test_the_estimate_follows_the_usual_length_of_readings() -> None:
    minutes = timedelta(minutes=1)
    usual = 20 * minutes
    assert waiting_view.estimate(usual, at(0), True, 0, at(300)) == 15 * minutes
    assert waiting_view.estimate(usual, at(0), True, 2, at(300)) == 55 * minutes
    assert waiting_view.estimate(usual, at(0), True, 0, at(7200)) == 2 * minutes  # longer than usual
    assert waiting_view.estimate(usual, None, False, 1, at(0)) == 20 * minutes
    said = [waiting_view.about(number * minutes) for number in (0, 4.9, 5, 12, 59, 60)]
    assert said[:3] == ["less than 5 minutes", "less than 5 minutes", "about 5–10 minutes"]
    assert said[3:] == ["about 10–15 minutes", "about 55–60 minutes", "more than an hour"]
    busy = Busy()
    found = waiting_view.standing(busy.slug, factories.person().id, at(30))
    assert found is not None
    assert (
        found.about == "about 10–15 minutes"
    )  # nothing is known: 15 minutes, of which half a minute is over


def test_two_clients_at_once_come_to_one_turn_and_one_ring(app: Flask) -> None:
    busy = Busy()
    first, second = busy.join(10), busy.join(11)
    busy.over(30)
    results = at_once(app, [lambda: busy.tend(31), lambda: busy.tend(31), lambda: busy.tend(31)])
    assert [sum(result["held"] for result in results), sum(result["error"] for result in results)] == [1, 0]
    rung = at_once(
        app, [lambda: busy.ring(first, 32), lambda: busy.ring(first, 32), lambda: busy.ring(second, 32)]
    )
    assert outcomes(rung)["ok"] == 1
    assert [result for result in rung[:2] if isinstance(result, int)]
    assert busy.places() == ["served", "waiting"]


def test_leaving_ringing_and_the_sweep_at_once_leave_no_half(app: Flask) -> None:
    for number in range(3):
        busy = Busy()
        first, second = busy.join(10), busy.join(11)
        busy.over(30)
        busy.tend(31)

        def leave(client_id: int = first, slug: str = busy.slug) -> None:
            with transaction():
                waiting.leave(client_id, slug, at(32))

        results = at_once(
            app,
            [leave, lambda at_=busy, who=first: at_.ring(who, 32), lambda at_=busy: at_.tend(31 + HOLD)],
        )
        states = busy.places()[-2:]
        session_id = results[1]
        if isinstance(session_id, int):
            assert states[0] in ("served", "left", "lapsed"), (number, states)
            assert end_of(session_id) is None
        else:
            assert states[0] in ("left", "lapsed")
        assert second


def test_the_same_client_joins_from_two_tabs_once(app: Flask) -> None:
    busy = Busy()
    client_id = factories.person(wallet="50.00").id
    results = at_once(app, [lambda: busy.queue(client_id, 10)] * 4)
    assert len(set(results)) == 1
    assert busy.places() == ["waiting"]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO queue_place (client_id, reader_id, created_at, state) SELECT client_id, reader_id, created_at, 'waiting' FROM queue_place LIMIT 1",
        "UPDATE queue_place SET state = 'held', held_until = now()",
        "UPDATE queue_place SET state = 'served'",
        "UPDATE queue_place SET state = 'lapsed', closed_at = now()",
        "UPDATE queue_place SET client_id = reader_id",
        "UPDATE queue_place SET created_at = now()",
        "DELETE FROM queue_place",
        "TRUNCATE queue_place",
    ],
)
def test_the_database_refuses(statement: str) -> None:
    busy = Busy()
    busy.join(10), busy.join(11)
    with pytest.raises((IntegrityError, psycopg.Error)), transaction():
        db.session.execute(text(statement))
