"""A call for tests: a voice reading whose people also come into and leave the channel, as Agora would tell it."""

import hashlib
import hmac
import json
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from soulseer import gateways
from soulseer.db import transaction
from soulseer.gateways.agora import Notification
from soulseer.jobs import watch_connections
from soulseer.jobs.context import JobContext
from soulseer.services import agora_notifications
from tests.readings.room import Room, at

JOINED, LEFT = 107, 108


def body(
    channel: str,
    uid: object,
    event: int,
    second: float,
    /,
    *,
    number: str,
    sequence: int | None = None,
    reason: int | None = None,
    **more: Any,
) -> bytes:
    """The body of a notification about second ``second`` after START."""
    inner: dict[str, Any] = {
        "channelName": channel,
        "uid": uid,
        "ts": int(at(second).timestamp()),
        "platform": 7,
    }
    if sequence is not None:
        inner["clientSeq"] = sequence
    if reason is not None:
        inner["reason"] = reason
    notice = {"noticeId": number, "productId": 1, "eventType": event, "notifyMs": 1, "payload": inner | more}
    return json.dumps(notice).encode()


def signature(payload: bytes, secret: str = "notify") -> str:
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()


def post(client: FlaskClient, payload: bytes, secret: str = "notify") -> TestResponse:
    return client.post(
        "/agora/webhook/", data=payload, headers={"Agora-Signature-V2": signature(payload, secret)}
    )


class Call(Room):
    """A room with a channel; ``notify`` delivers as the webhook's door does, at ``received`` on the business clock."""

    def __init__(
        self, app: Flask, wallet: str = "50.00", rate: str = "3.00", modality: str = "voice"
    ) -> None:
        super().__init__(wallet, rate, modality)
        self.app = app
        self.channel = self.session.channel
        self.told = 0

    def body(self, who: str, event: int, second: float, **more: Any) -> bytes:
        self.told += 1
        return body(
            self.channel, self.person(who), event, second, **{"number": f"{self.id}:{self.told}", **more}
        )

    def notify(self, payload: bytes, received: float) -> bool:
        """Whether it was new; a copy changes nothing."""
        notification: Notification = gateways.current().agora.read_notification(payload)
        with transaction():
            stored = agora_notifications.store(notification, payload, at(received))
        if stored is None:
            return False
        with transaction():
            agora_notifications.act(stored, at(received))
        return True

    def joined(self, who: str, second: float, received: float | None = None, **more: Any) -> None:
        self.notify(self.body(who, JOINED, second, **more), second if received is None else received)

    def left(
        self, who: str, second: float, received: float | None = None, reason: int = 2, **more: Any
    ) -> None:
        payload = self.body(who, LEFT, second, reason=reason, **more)
        self.notify(payload, second if received is None else received)

    def watch(self, second: float) -> dict[str, Any]:
        return watch_connections.run(JobContext(now=at(second)))
