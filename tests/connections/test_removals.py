"""Who stays in a channel at Agora once paid time or the reading is over is removed; Agora is a server of the test's own."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from soulseer import gateways
from soulseer.blueprints import room_calls
from soulseer.cli import doctor
from soulseer.db import db, transaction
from soulseer.domain import policies
from soulseer.gateways import agora_channels
from soulseer.gateways.agora_channels import ChannelGateway, ChannelsUnavailable
from soulseer.jobs import remove_from_channels
from soulseer.jobs.context import JobContext
from soulseer.models.channel_removals import ChannelRemoval
from soulseer.sandbox.serving import StandInServer
from soulseer.services import ceilings, channel_removals
from tests import factories
from tests.connections.channel import Call
from tests.readings.room import at

APP_ID, CUSTOMER, SECRET = "0123456789abcdef0123456789abcdef", "customer", "secret:of the/customer"


class Agora:
    """Answers for kicking-rule as documented; ``status`` is what it answers, and it hangs while ``hold`` is there."""

    def __init__(self) -> None:
        self.status, self.told = 200, {"status": "success", "id": 1953}
        self.hold: threading.Event | None = None
        self.asked: list[dict[str, Any]] = []
        self.listed = 0
        self.server = StandInServer(self._answer, 0)
        self.server.start()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        right = "Basic " + base64.b64encode(f"{CUSTOMER}:{SECRET}".encode()).decode()
        status = self.status if environ.get("HTTP_AUTHORIZATION") == right else 401
        if environ["PATH_INFO"] != "/dev/v1/kicking-rule":
            status = 404
        elif environ["REQUEST_METHOD"] == "GET":
            self.listed += environ["QUERY_STRING"] == f"appid={APP_ID}"
        else:
            self.asked.append(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
        if self.hold is not None:
            # Done, and the answer never comes.
            self.hold.wait(10)
        body = json.dumps(self.told if status == 200 else {"message": "no"}).encode()
        start_response(
            f"{status} X", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]


@pytest.fixture
def agora(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agora]:
    """Agora carries the calls, and our customer's credentials are set."""
    stand_in = Agora()
    use(monkeypatch, ChannelGateway(APP_ID, CUSTOMER, SECRET, stand_in.server.url))
    carried_by(monkeypatch, "agora")
    yield stand_in
    if stand_in.hold is not None:
        stand_in.hold.set()
    stand_in.server.stop()


def use(monkeypatch: pytest.MonkeyPatch, channels: ChannelGateway) -> None:
    current = gateways.current()
    monkeypatch.setattr(gateways, "_current", replace(current, channels=channels))


def carried_by(monkeypatch: pytest.MonkeyPatch, transport: str) -> None:
    current = policies.current()
    media = replace(current.media, transport=transport)
    monkeypatch.setattr(policies, "_current", replace(current, media=media))


def run(second: float) -> dict[str, Any]:
    return remove_from_channels.run(JobContext(now=at(second)))


def rows() -> list[ChannelRemoval]:
    db.session.rollback()
    return list(db.session.scalars(select(ChannelRemoval).order_by(ChannelRemoval.id)))


def broke(app: Flask, modality: str = "voice") -> Call:
    """A reading whose client can pay one minute: it is paused as of second 60."""
    call = Call(app, wallet="3.00", modality=modality)
    call.start()
    call.beats(10, 70)
    assert (call.session.state, call.session.pause_cause) == ("paused", "low_balance")
    return call


def test_both_are_removed_at_once_when_the_money_is_over_and_may_come_back(agora: Agora, app: Flask) -> None:
    call = broke(app)
    both = [call.person("client"), call.person("reader")]
    assert [(row.uid, row.reason, row.reason_at, row.state) for row in rows()] == [
        (uid, "money_over", at(60), "wanted") for uid in both
    ]
    queue = gateways.current().queue.queue("sessions")
    assert any(name.startswith(f"remove_from_channels-{call.id}-money_over") for name in queue.job_ids)
    ids = [row.id for row in rows()]
    dry = remove_from_channels.run(JobContext(now=at(71), dry_run=True))
    assert (dry, agora.asked) == ({"dry_run": True, "removals": ids}, [])
    assert run(71) == {"done": 2}
    assert agora.asked == [
        {
            "appid": APP_ID,
            "cname": call.channel,
            "uid": uid,
            "ip": "",
            "time_in_seconds": 0,
            "privileges": ["join_channel"],
        }
        for uid in both
    ]
    assert [(row.state, row.rule_id, row.settled_at, row.error) for row in rows()] == [
        ("done", 1953, at(71), None)
    ] * 2
    assert run(72) == {}
    assert len(agora.asked) == 2


def test_after_the_end_nobody_comes_back_before_the_tokens_have_expired(agora: Agora, app: Flask) -> None:
    call = Call(app).start()
    call.do("end", "client", 30)
    assert [(row.reason, row.reason_at) for row in rows()] == [("session_over", at(30))] * 2
    # Again, from wherever: the same removal.
    with transaction():
        channel_removals.session_over(call.session, at(30), at(31))
    assert run(31) == {"done": 2}
    assert [asked["time_in_seconds"] for asked in agora.asked] == [1200, 1200]


def test_a_ceiling_ends_paid_time_as_well_and_grace_the_session(agora: Agora, app: Flask) -> None:
    call = Call(app).start()
    limit = partial(ceilings.change, ceiling=ceilings.wanted(1, None))
    room_calls.move(limit, call.id, call.person("client"), at(5))
    call.beats(10, 70)
    assert call.session.pause_cause == "ceiling"
    call.expire(70 + 301)
    assert [row.reason for row in rows()] == ["money_over"] * 2 + ["session_over"] * 2
    # The pause is over: only the end is carried out.
    assert run(372) == {"given_up": 2, "done": 2}
    assert [asked["time_in_seconds"] for asked in agora.asked] == [1200, 1200]


def test_who_has_paid_again_is_not_removed_by_a_late_run(agora: Agora, app: Flask) -> None:
    call = broke(app)
    agora.status = 500
    assert run(71) == {"later": 1}
    with transaction():
        factories.fund(call.client.id, "30.00")
    for who in ("client", "reader"):
        call.do("reconnect", who, 75)
    assert call.session.state in ("reconnecting", "active")
    agora.status, seen = 200, len(agora.asked)
    assert run(200) == {"given_up": 2}
    assert len(agora.asked) == seen
    assert {row.error for row in rows()} == {channel_removals.CAME_BACK}


@pytest.mark.parametrize("status", [401, 429, 500, 504])
def test_what_may_pass_is_asked_again_ever_later_until_the_tokens_are_dead(
    agora: Agora, app: Flask, status: int
) -> None:
    Call(app).start().do("end", "reader", 30)
    agora.status = status
    assert run(30) == {"later": 1}, "one without an answer is enough for one run"
    first, second = rows()
    assert (first.next_check_at, first.attempts, second.attempts) == (at(35), 1, 0)
    assert str(status) in (first.error or "")
    assert run(36) == {"later": 1}
    assert [row.attempts for row in rows()] == [1, 1]
    assert run(42) == {"later": 1}
    assert rows()[0].next_check_at == at(52)
    agora.status = 200
    if status == 500:
        assert run(120) == {"done": 2}
    else:
        assert run(30 + 1200) == {"given_up": 2}
        assert all(channel_removals.EXPIRED in (row.error or "") for row in rows())
        assert run(3000) == {}


def test_one_that_never_succeeds_keeps_no_new_one_waiting(agora: Agora, app: Flask) -> None:
    Call(app).start().do("end", "client", 30)
    agora.status = 500
    assert run(30) == run(30) == {"later": 1}
    fresh = Call(app).start()
    fresh.do("end", "client", 40)
    seen, agora.status = len(agora.asked), 200
    assert run(41) == {"done": 4}
    assert [asked["cname"] == fresh.channel for asked in agora.asked[seen:]] == [True, True, False, False]


def test_what_agora_refuses_is_given_up_at_once(agora: Agora, app: Flask) -> None:
    Call(app).start().do("end", "client", 30)
    agora.status = 404
    assert run(31) == {"given_up": 2}
    assert [(row.state, row.error) for row in rows()] == [("given_up", "HTTP 404, without success")] * 2
    # 200 alone is no success.
    agora.status, agora.told = 200, {"status": "failed", "id": 3}
    with pytest.raises(ChannelsUnavailable):
        gateways.current().channels.remove("c", 7, 0)


def test_a_time_out_after_agora_did_it_and_a_worker_killed_between_only_repeat(
    agora: Agora, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    Call(app).start().do("end", "client", 30)
    agora.hold = threading.Event()
    monkeypatch.setattr(agora_channels, "TIMEOUT_SECONDS", (2, 0.2))
    assert run(30) == {"later": 1}
    assert "ReadTimeout" in (rows()[0].error or "")
    agora.hold.set()
    agora.hold = None
    monkeypatch.setattr(agora_channels, "TIMEOUT_SECONDS", (3, 10))

    # Killed when Agora had done the second one, before that was recorded.
    def killed(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(channel_removals, "note_done", killed)
        with pytest.raises(KeyboardInterrupt):
            run(31)
    assert [row.state for row in rows()] == ["wanted", "wanted"]
    assert run(60) == {"done": 1}, "the other is still in the dead worker's hand"
    assert run(31 + 61) == {"done": 1}
    assert [asked["uid"] for asked in agora.asked].count(rows()[1].uid) == 2
    assert channel_removals.note_failure(rows()[0].id, "late", at(99), for_good=True) == "done"


def test_agora_away_altogether(agora: Agora, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    Call(app).start().do("end", "client", 30)
    use(monkeypatch, ChannelGateway(APP_ID, CUSTOMER, SECRET, "http://127.0.0.1:9"))
    assert run(31) == {"later": 1}
    assert doctor.look("agora", doctor.agora).state == "failed"


@pytest.mark.parametrize("case", ["text", "webrtc", "no customer", "never active"])
def test_no_row_where_nobody_is_in_a_channel_of_agoras(
    agora: Agora, app: Flask, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    if case == "webrtc":
        carried_by(monkeypatch, "webrtc")
    if case == "no customer":
        use(monkeypatch, ChannelGateway(APP_ID, "", "", agora.server.url))
    modality = "text" if case == "text" else "video"
    call = Call(app) if case == "never active" else broke(app, modality)
    call.do("end", "client", 75)
    assert call.session.state == "ended"
    assert rows() == []
    assert run(80) == ({"off": 1} if case == "no customer" else {})
    assert agora.asked == []


def test_leaving_and_dropping_remove_nobody(agora: Agora, app: Flask) -> None:
    call = Call(app).start()
    call.do("leave", "client", 20)
    assert call.session.state == "paused"
    assert rows() == []


def test_a_heartbeat_costs_what_it_did(agora: Agora, app: Flask, statements: list[str]) -> None:
    call = Call(app).start()
    call.beat("reader", 5)
    statements.clear()
    call.beat("client", 10)
    by_agora = list(statements)
    assert by_agora
    assert all(statement.startswith("SELECT") for statement in by_agora)
    assert not any("channel_removal" in statement for statement in by_agora)
    assert rows() == []


def test_the_doctor_asks_whether_the_customer_is_taken(
    agora: Agora, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = doctor.look("agora", doctor.agora)
    assert (found.state, agora.listed, agora.asked) == ("ok", 1, [])
    assert found.detail == "tokens of version 007; who stays in a call is removed"
    use(monkeypatch, ChannelGateway(APP_ID, CUSTOMER, "another", agora.server.url))
    found = doctor.look("agora", doctor.agora)
    assert found.state == "failed"
    assert "AGORA_CUSTOMER_SECRET" in found.detail
    use(monkeypatch, ChannelGateway(APP_ID, "", "", agora.server.url))
    assert "AGORA_CUSTOMER_ID is not set" in doctor.look("agora", doctor.agora).detail


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE channel_removal SET state = 'wanted', settled_at = NULL, next_check_at = now()",
        "UPDATE channel_removal SET state = 'given_up'",
        "UPDATE channel_removal SET uid = uid + 1000",
        "UPDATE channel_removal SET next_check_at = now()",
        "DELETE FROM channel_removal",
        "INSERT INTO channel_removal (reading_session_id, uid, reason, reason_at, ban_seconds, state, created_at, attempts,"
        " settled_at) SELECT reading_session_id, uid, reason, reason_at, 0, 'done', now(), 0, now() FROM channel_removal",
    ],
)
def test_the_database_keeps_what_was_done(agora: Agora, app: Flask, change: str, settings: Any) -> None:
    Call(app).start().do("end", "client", 30)
    run(31)
    with psycopg.connect(settings.database_url) as connection, pytest.raises(psycopg.IntegrityError):
        connection.execute(change)
