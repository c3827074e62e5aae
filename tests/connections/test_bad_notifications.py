"""Agora's door and its inbox: forged, copied, shuffled, foreign, future, old, huge; and processes that die in between."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.gateways.presence import PresenceGateway
from soulseer.models.connections import ChannelNotice
from soulseer.models.payments import WebhookEvent
from soulseer.services import agora_notifications, ledger_check
from tests.connections.channel import JOINED, LEFT, Call, body, post
from tests.readings.room import at


@pytest.fixture
def call(app: Flask) -> Call:
    return Call(app).start(0)


def stored() -> list[tuple[str, str | None]]:
    db.session.rollback()
    return [
        (row.status, row.error) for row in db.session.scalars(select(WebhookEvent).order_by(WebhookEvent.id))
    ]


def notices() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(ChannelNotice)) or 0


@pytest.mark.parametrize(
    "more",
    [
        {"uid": -1},
        {"uid": "x"},
        {"uid": [1]},
        {"uid": True},
        {"uid": 2**70},
        {"ts": "soon"},
        {"ts": 10**15},
        {"ts": -5},
        {"clientSeq": -1},
        {"clientSeq": 2**64},
        {"reason": "because"},
        {"channelName": "a\u0000b"},
        {"channelName": "\ud800"},
    ],
)
def test_what_is_signed_but_odd_is_400_and_leaves_nothing(
    call: Call, client: FlaskClient, more: dict[str, Any]
) -> None:
    payload = body(call.channel, call.person("client"), LEFT, 10, number="n", **more)
    assert post(client, payload).status_code == 400
    assert stored() == []


@pytest.mark.parametrize(
    "payload", [b"\xff\xfe\x00", b"x" * 1_000_000, b"[" * 60_000, b"null", b'{"noticeId":""}']
)
def test_what_is_no_notification_at_all(call: Call, client: FlaskClient, payload: bytes) -> None:
    assert post(client, payload).status_code == 400
    assert stored() == []


def test_forged_by_another_key_and_replayed(call: Call, client: FlaskClient) -> None:
    payload = call.body("client", JOINED, 10)
    assert post(client, payload, secret="guessed").status_code == 400
    assert [post(client, payload).status_code for _ in range(3)] == [200] * 3
    assert (len(stored()), notices()) == (1, 1)
    # The same id with another content is the same notification.
    assert post(client, call.body("reader", LEFT, 20, number=f"{call.id}:1")).status_code == 200
    assert (len(stored()), notices()) == (1, 1)


def test_of_no_channel_of_anothers_uid_of_another_kind_or_of_long_ago(
    call: Call, client: FlaskClient, app: Flask
) -> None:
    other = Call(app)
    for payload in (
        body("nowhere", call.person("client"), LEFT, 10, number="a"),
        body(call.channel, other.person("client"), LEFT, 10, number="b"),
        body(call.channel, call.person("client"), 101, 10, number="c"),
        body(call.channel, call.person("client"), LEFT, -86_400, number="d"),
        body(call.channel, call.person("client"), LEFT, 0, number="e", ts=0),
    ):
        assert post(client, payload).get_json() == {"received": True, "seen": False}
    assert {status for status, _ in stored()} == {"ignored"}
    assert notices() == 0


def test_the_future_is_now_at_the_latest(call: Call, client: FlaskClient) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=5)
    post(client, body(call.channel, call.person("reader"), LEFT, 0, number="f", ts=int(ahead.timestamp())))
    db.session.rollback()
    row = db.session.scalars(select(ChannelNotice)).one()
    assert row.at == row.received_at <= datetime.now(UTC)


def kept(call: Call, payload: bytes, received: float) -> int:
    """Stored, and then its process is gone."""
    with transaction():
        notification = gateways.current().agora.read_notification(payload)
        event = agora_notifications.store(notification, payload, at(received))
    assert event is not None
    return event


def test_killed_between_store_and_effect_the_sweep_acts_once(call: Call) -> None:
    call.beats(10, 40)
    kept(call, call.body("reader", LEFT, 45, reason=2), 46)
    call.beats(50, 70)
    # Whoever stored it may still be at it.
    assert call.watch(70)["notifications"] == 0
    counts = call.watch(80)
    assert (counts["notifications"], counts["paused"]) == (1, 0)
    assert (call.session.state, call.session.pause_cause) == ("paused", "reader_dropped")
    assert call.watch(200)["notifications"] == 0
    assert notices() == 1
    call.expire(400)
    call.finalize(401)
    # Forty-five seconds were served.
    assert str(call.wallet) == "47.75"
    assert ledger_check.check() == []


def act_and_die(event: int) -> None:
    """What a process leaves that is stopped before its commit."""
    with transaction():
        agora_notifications.act(event, at(21))
        raise KeyboardInterrupt


def test_a_web_process_that_dies_inside_the_effect_leaves_it_to_the_sweep(
    call: Call, superuser: psycopg.Connection
) -> None:
    event = kept(call, call.body("reader", LEFT, 20), 21)
    with pytest.raises(KeyboardInterrupt):
        act_and_die(event)
    assert (stored(), notices()) == ([("received", None)], 0)
    call.watch(60)
    assert (stored()[0][0], notices()) == ("processed", 1)


def test_what_keeps_failing_is_tried_with_pauses_and_then_shown(
    call: Call, superuser: psycopg.Connection
) -> None:
    event = kept(call, call.body("reader", LEFT, 20), 21)
    superuser.execute("ALTER TABLE channel_notice ADD CONSTRAINT fault CHECK (role <> 'reader') NOT VALID")
    try:
        assert call.watch(60)["error"] == 1
        assert call.watch(61)["notifications"] == 0
        with transaction():
            for attempt in range(23):
                agora_notifications.fail(event, RuntimeError("still"), at(100 + attempt))
    finally:
        superuser.execute("ALTER TABLE channel_notice DROP CONSTRAINT fault")
    assert stored()[0][0] == "failed"
    assert db.session.scalar(select(WebhookEvent.next_attempt_at)) is None


def test_redis_away_the_notice_is_kept_and_the_sweep_books_the_drop(call: Call, client: FlaskClient) -> None:
    call.beats(10, 40)
    here = gateways.current()
    gateways.configure(dataclasses.replace(here, presence=PresenceGateway("redis://127.0.0.1:9/0")))
    try:
        assert post(client, call.body("reader", LEFT, 30)).status_code == 200
    finally:
        gateways.configure(here)
    assert (stored()[0][0], notices()) == ("processed", 1)
    assert call.session.state == "active"
    assert call.watch(61)["paused"] == 1
    assert (call.session.pause_cause, call.session.paused_at) == ("reader_dropped", at(30))


@pytest.mark.parametrize(
    "statement", ["UPDATE channel_notice SET joined = true", "DELETE FROM channel_notice"]
)
def test_the_database_refuses_to_rewrite_a_notice(
    call: Call, environment: dict[str, str], statement: str
) -> None:
    call.left("reader", 20)
    with psycopg.connect(environment["DATABASE_URL"]) as connection, pytest.raises(psycopg.IntegrityError):
        connection.execute(statement)  # type: ignore[call-overload]
