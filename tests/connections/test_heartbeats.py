"""Heartbeats over HTTP: what they cost, what they may bring, who counts; what they bring is kept in compact rows."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine

from soulseer import gateways
from soulseer.blueprints import room_calls
from soulseer.db import db, transaction
from soulseer.models.connections import ConnectionRecord
from soulseer.models.readings import ReadingSession
from soulseer.services import connection_samples, connections
from tests.connections.channel import Call
from tests.readings.room import at
from tests.readings.test_api import Scene

GOOD = {
    "round_trip_ms": 43.4,
    "loss_percent": 0.4,
    "bitrate_kbps": 812.2,
    "freezes": 1,
    "jitter_ms": 3,
    "quality": "good",
}


@pytest.fixture
def scene(migrated_app: Flask, empty: None) -> Scene:
    return Scene(migrated_app)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def listen(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    yield seen
    event.remove(Engine, "before_cursor_execute", listen)


def test_a_beat_with_nothing_due_reads_once_and_writes_nothing(scene: Scene, statements: list[str]) -> None:
    session_id = scene.start()
    for caller in (scene.client, scene.reader):
        statements.clear()
        body = {"connection": GOOD, "tab": str(uuid.uuid4())}
        status, meter = caller.call("POST", f"{session_id}/heartbeat/", body)
        assert (status, meter["state"]) == (200, "active")
        assert len(statements) == 1
        assert statements[0].startswith("SELECT")
    waiting = gateways.current().presence.measured(session_id)
    assert [len(lines) for lines in waiting.values()] == [1, 1]
    assert waiting["client"][0].partition("|")[2].startswith("43|4|812|1|3|1|")
    assert scene.client.call("POST", f"{session_id}/heartbeat/")[0] == 200
    assert scene.client.call("GET", f"{session_id}/")[1]["balance"] == "48.01"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"connection": {**GOOD, "round_trip_ms": -1}}, "connection.round_trip_ms"),
        ({"connection": {**GOOD, "round_trip_ms": "43"}}, "connection.round_trip_ms"),
        ({"connection": {**GOOD, "loss_percent": 100.1}}, "connection.loss_percent"),
        ({"connection": {**GOOD, "freezes": 1.5}}, "connection.freezes"),
        ({"connection": {**GOOD, "bitrate_kbps": 1e300}}, "connection.bitrate_kbps"),
        ({"connection": {**GOOD, "jitter_ms": True}}, "connection.jitter_ms"),
        ({"connection": {**GOOD, "quality": "<script>"}}, "connection.quality"),
        ({"connection": [GOOD]}, "connection"),
        ({"tab": "one"}, "tab"),
        ({"tab": "\u0000"}, "tab"),
    ],
)
def test_a_bad_body_names_the_field_and_is_no_sign_of_life(scene: Scene, body: Any, field: str) -> None:
    session_id = scene.start()
    before = gateways.current().presence.touch(session_id, None, at(0), timedelta(seconds=30))
    status, problem = scene.client.call("POST", f"{session_id}/heartbeat/", body)
    assert (status, problem["field"]) == (422, field)
    assert gateways.current().presence.touch(session_id, None, at(0), timedelta(seconds=30)) == before


def test_what_is_no_json_is_refused_and_a_stranger_stays_one(scene: Scene) -> None:
    session_id = scene.start()
    token = {"X-CSRFToken": scene.client.token}
    path = f"/api/sessions/{session_id}/heartbeat/"
    for data, status in (
        (b"\xff\xfe", 400),
        (b"[]", 422),
        (b"{" * 100_000, 400),
        (b'{"tab":' + b"1" * 9999 + b"}", 422),
    ):
        answer = scene.client.client.post(path, data=data, content_type="application/json", headers=token)
        assert answer.status_code == status, answer.get_data(as_text=True)
    # Whoever holds somebody else's link, signed in as another: nothing is said, and nobody was seen.
    body = {"connection": GOOD, "tab": str(uuid.uuid4())}
    assert scene.stranger.call("POST", f"{session_id}/heartbeat/", body)[0] == 403
    assert scene.stranger.call("POST", "999999/heartbeat/", body)[0] == 404
    assert gateways.current().presence.measured(session_id) == {"client": [], "reader": []}


def test_the_browsers_clock_is_not_asked(scene: Scene) -> None:
    session_id = scene.start()
    hours = {"now": "2031-01-01T00:00:00Z", "connection": {**GOOD, "at": "1999-01-01T00:00:00Z"}}
    status, meter = scene.client.call(
        "POST", f"{session_id}/heartbeat/", hours, Date="Thu, 01 Jan 1970 00:00:00 GMT"
    )
    assert (status, meter["state"]) == (200, "active")
    with scene.app.app_context():
        covered = db.session.get_one(ReadingSession, session_id).covered_until
    assert covered is not None
    assert meter["now"][:4] == str(covered.year)


def beat(call: Call, who: str, second: float, quality: str = "good", tab: int = 1) -> None:
    text = connection_samples.as_text({**GOOD, "quality": quality}, tab)
    room_calls.look(call.id, call.person(who), at(second), measured=text)


def records() -> list[ConnectionRecord]:
    db.session.rollback()
    return list(db.session.scalars(select(ConnectionRecord).order_by(ConnectionRecord.role)))


def test_two_tabs_are_one_person_and_closing_one_is_no_drop(app: Flask) -> None:
    call = Call(app).start(0)
    for second in range(10, 60, 10):
        beat(call, "client", second, tab=1)
        beat(call, "client", second + 1, tab=2)
        beat(call, "client", second + 5, tab=2)
        beat(call, "reader", second)
    for second in range(60, 120, 10):
        beat(call, "client", second, tab=2)
        beat(call, "reader", second)
    assert (call.session.state, call.session.minutes_billed) == ("active", 2)
    call.do("end", "client", 115)
    call.finalize(116)
    client, reader = records()
    # Eleven beats each, and the second tab's five that came more than three seconds after another.
    assert (client.count, reader.count) == (16, 11)
    samples = connection_samples.of(call.id)["client"]
    assert {sample.tab for sample in samples} == {1, 2}
    assert samples[0] == connection_samples.Sample(at(10), 43, Decimal("0.4"), 812, 1, 3, "good", 1)
    assert gateways.current().presence.measured(call.id) == {"client": [], "reader": []}
    assert len(client.samples) == 22 * 16


def test_ten_minutes_are_written_with_the_next_minute_that_is_due_and_never_twice(app: Flask) -> None:
    call = Call(app, rate="1.00").start(0)
    for second in range(10, 790, 10):
        beat(call, "client", second)
        beat(call, "reader", second)
    assert {row.role for row in records()} == {"client", "reader"}
    waiting = connection_samples.gathered(call.id)
    call.do("end", "client", 790)
    call.finalize(791)
    # What was read before it was forgotten is not written again.
    with transaction():
        connection_samples.keep(call.id, waiting)
    for role, samples in connection_samples.of(call.id).items():
        assert [sample.at for sample in samples] == [at(second) for second in range(10, 790, 10)], role


def test_redis_may_lose_it_then_there_is_a_hole_and_no_other_bill(app: Flask) -> None:
    call = Call(app).start(0)
    for second in range(10, 100, 10):
        beat(call, "client", second)
        beat(call, "reader", second)
    gateways.current().presence.redis.flushdb()
    for second in range(100, 120, 10):
        beat(call, "client", second)
        beat(call, "reader", second)
    call.do("end", "client", 115)
    assert call.finalize(116)["finalized"] == 1
    assert [row.count for row in records()] == [2, 2]
    assert (call.session.minutes_billed, call.session.credit_cents) == (2, 0)


def test_a_call_that_the_readers_page_calls_lost_is_given_back_and_the_clients_word_alone_is_not(
    app: Flask,
) -> None:
    told, alone = Call(app).start(0), Call(app).start(0)
    for second in range(10, 120, 10):
        quality = "lost" if 30 <= second <= 80 else "good"
        for call in (told, alone):
            beat(call, "client", second, quality)
            beat(call, "reader", second, quality if call is told else "good")
    for call in (told, alone):
        call.do("end", "client", 115)
        call.finalize(116)
    # Lost from 30 to 90 by the reader's own page: a minute at 3.00.
    assert (told.session.credit_cents, told.wallet) == (300, Decimal("47.00"))
    assert (alone.session.credit_cents, alone.wallet) == (0, Decimal("44.00"))


def test_what_has_served_its_time_is_deleted_and_nothing_else_can_change_it(app: Flask) -> None:
    call = Call(app).start(0)
    beat(call, "client", 10)
    call.do("end", "client", 15)
    call.finalize(16)
    with transaction():
        assert connection_samples.forget_before(at(10)) == 0
        assert connection_samples.forget_before(at(11)) == 1
    assert db.session.scalar(select(func.count()).select_from(ConnectionRecord)) == 0
    assert connections.finding(call.session).credit_cents == call.session.credit_cents
