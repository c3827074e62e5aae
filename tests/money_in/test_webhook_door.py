"""POST /stripe/webhook/ over HTTP: stored once and 200, or 400 and nothing stored."""

import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select
from stripe import WebhookSignature

from soulseer import gateways
from soulseer.db import db
from soulseer.models.payments import WebhookEvent
from tests.money_in.conftest import NEW_SECRET, OLD_SECRET, Sandbox


def event(event_id: str = "evt_1", kind: str = "charge.succeeded", **about: Any) -> str:
    body = {"id": event_id, "object": "event", "type": kind, "livemode": False, "data": {"object": about}}
    return json.dumps(body)


def signed(payload: str, secret: str = NEW_SECRET, *, at: int = 0) -> str:
    return WebhookSignature.generate_signature_header(payload, secret, int(time.time()) + at)


def deliver(sandbox: Sandbox, payload: str | bytes, header: str | None, **headers: str) -> requests.Response:
    if header is not None:
        headers["Stripe-Signature"] = header
    headers.setdefault("Content-Type", "application/json")
    return requests.post(f"{sandbox.product}/stripe/webhook/", data=payload, headers=headers, timeout=20)


def stored() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(WebhookEvent)) or 0


@pytest.mark.parametrize("secret", [OLD_SECRET, NEW_SECRET])
def test_a_signed_event_is_stored_raw_and_enqueued(sandbox: Sandbox, secret: str) -> None:
    payload = event(note="Ünïcode is kept byte by byte")
    answer = deliver(sandbox, payload, signed(payload, secret))
    assert (answer.status_code, answer.json()) == (200, {"received": True, "new": True})
    row = db.session.scalars(select(WebhookEvent)).one()
    assert (row.event_id, row.type, row.status, row.payload) == (
        "evt_1",
        "charge.succeeded",
        "received",
        payload.encode(),
    )
    assert gateways.current().queue.queue("payments").job_ids == [f"process_stripe_webhook-{row.id}"]


def test_the_same_event_again_is_fine_and_stored_once(sandbox: Sandbox) -> None:
    payload = event()
    answers = [deliver(sandbox, payload, signed(payload)) for _ in range(3)]
    assert [(a.status_code, a.json()["new"]) for a in answers] == [(200, True), (200, False), (200, False)]
    assert stored() == 1


def test_one_statement_stores_it(sandbox: Sandbox, app: Flask, statements: list[str]) -> None:
    payload = event()
    answer = app.test_client().post(
        "/stripe/webhook/",
        data=payload,
        content_type="application/json",
        headers={"Stripe-Signature": signed(payload)},
    )
    assert answer.status_code == 200
    assert len(statements) == 1
    assert statements[0].startswith("INSERT INTO webhook_event")


def bad_deliveries() -> dict[str, tuple[str | bytes, str | None]]:
    good = event()
    return {
        "unsigned": (good, None),
        "empty header": (good, ""),
        "v0 only": (good, signed(good).replace("v1=", "v0=")),
        "301 s old": (good, signed(good, at=-301)),
        # A second for the way.
        "301 s ahead": (good, signed(good, at=303)),
        "another secret": (good, signed(good, "whsec_other")),
        "one byte changed": (good.replace("evt_1", "evt_2"), signed(good)),
        "not UTF-8": (b"\xff" + good.encode(), signed(good)),
        "a list": ("[]", signed("[]")),
        "an empty object": ("{}", signed("{}")),
        "no JSON": ("{", signed("{")),
        "nothing": ("", signed("")),
        "a NUL in the id": (event("evt_\0"), signed(event("evt_\0"))),
        "1 MB": (event(pad="x" * 1_000_000), signed(event(pad="x" * 1_000_000))),
        "2 MiB": (event(pad="x" * 2**21), signed(event(pad="x" * 2**21))),
        "1 byte over 256 kB": ("x" * (256 * 1024 + 1), "t=1,v1=00"),
    }


@pytest.mark.parametrize("name", list(bad_deliveries()))
def test_what_is_no_webhook_is_400_and_leaves_nothing(sandbox: Sandbox, name: str) -> None:
    payload, header = bad_deliveries()[name]
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        answer = deliver(sandbox, payload, header, **{"Content-Type": content_type})
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
        assert answer.json()["code"] == "webhook_rejected"
    assert stored() == 0
    assert gateways.current().queue.queue("payments").job_ids == []


def test_a_signature_beyond_ascii_is_400(sandbox: Sandbox) -> None:
    payload = event().encode()
    address = urlsplit(sandbox.product)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            b"POST /stripe/webhook/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n"
            % len(payload)
            + b"Stripe-Signature: t=%d,v1=\xe9\r\n\r\n" % time.time()
            + payload
        )
        assert b" 400 " in connection.recv(100)
    assert stored() == 0


def test_a_browser_cannot_read_the_door(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.product}/stripe/webhook/", timeout=5).status_code == 405


def test_with_redis_away_the_event_is_stored_all_the_same(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("Redis is away")

    monkeypatch.setattr(gateways.current().queue, "enqueue", refuse)
    payload = event()
    assert deliver(sandbox, payload, signed(payload)).status_code == 200
    assert stored() == 1
