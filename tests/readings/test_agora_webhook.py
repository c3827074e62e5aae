"""POST /agora/webhook/: signed channel notifications are signs of life, once each; all else is refused."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.models.payments import WebhookEvent
from soulseer.services import readings
from tests import factories

TIMEOUT = timedelta(seconds=30)


def notice(session: Any, uid: int, at: datetime, number: str = "n1", event: int = 107) -> bytes:
    payload = {"channelName": session.channel, "uid": uid, "ts": int(at.timestamp())}
    return json.dumps({"noticeId": number, "productId": 1, "eventType": event, "payload": payload}).encode()


def post(client: FlaskClient, body: bytes, secret: str = "notify", **headers: str) -> TestResponse:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return client.post("/agora/webhook/", data=body, headers={"Agora-Signature-V2": signature, **headers})


@pytest.fixture
def live(app: Flask) -> Any:
    person, reader = factories.person(wallet="50.00"), factories.reader()
    with transaction():
        return readings.request(person.id, reader.slug, "voice", datetime.now(UTC))


def test_a_join_is_a_sign_of_life_and_its_copy_changes_nothing(live: Any, client: FlaskClient) -> None:
    seen = datetime.now(UTC).replace(microsecond=0)
    body = notice(live, live.client_id, seen)
    assert post(client, body).get_json() == {"received": True, "seen": True}
    assert post(client, body).get_json() == {"received": True, "seen": False}
    signs = gateways.current().presence.touch(live.id, None, seen, TIMEOUT)
    assert (signs.client, signs.reader) == (seen, None)


def test_a_clock_ahead_of_ours_makes_nobody_present_later_than_now(live: Any, client: FlaskClient) -> None:
    post(client, notice(live, live.reader_id, datetime.now(UTC) + timedelta(hours=1)))
    signs = gateways.current().presence.touch(live.id, None, datetime.now(UTC), TIMEOUT)
    assert signs.reader is not None
    assert signs.reader <= datetime.now(UTC)


def test_a_stranger_in_the_channel_is_nobody(live: Any, client: FlaskClient) -> None:
    assert post(client, notice(live, 999, datetime.now(UTC))).get_json()["seen"] is False


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"\xff\xfe", b'{"noticeId": 1, "eventType": "x", "payload": {}}', b"x" * 70_000]
)
def test_what_is_signed_but_odd_is_400(app: Flask, client: FlaskClient, body: bytes) -> None:
    assert post(client, body).status_code == 400
    assert db.session.query(WebhookEvent).count() == 0


def test_what_is_not_signed_by_agora_is_400(live: Any, client: FlaskClient) -> None:
    body = notice(live, live.client_id, datetime.now(UTC))
    assert post(client, body, secret="other").status_code == 400
    assert client.post("/agora/webhook/", data=body).status_code == 400
    assert (
        post(
            client,
            body + b" ",
            **{"Agora-Signature-V2": hmac.new(b"notify", body, hashlib.sha256).hexdigest()},
        ).status_code
        == 400
    )
    assert db.session.query(WebhookEvent).count() == 0
