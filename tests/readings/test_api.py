"""/api/sessions/ over HTTP: statuses, words, bad input, and what a heartbeat costs."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.readings import ReadingMessage, ReadingSession
from soulseer.services import logins
from tests import factories


class Caller:
    """Somebody's browser: a cookie and the CSRF token."""

    def __init__(self, app: Flask, person_id: int) -> None:
        self.client: FlaskClient = app.test_client()
        with app.app_context(), transaction():
            login = logins.start(person_id, clock.now(), id_token=None, address=None, user_agent=None)
        with self.client.session_transaction() as session:
            session["_user_id"] = str(login)
        page = self.client.get("/dashboard/").get_data(as_text=True)
        self.token = page.split('name="csrf-token" content="')[1].split('"')[0]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        answer = self.client.open(
            f"/api/sessions/{path}", method=method, json=body, headers={"X-CSRFToken": self.token, **headers}
        )
        return answer.status_code, answer.get_json()


class Scene:
    """A client with 50.00, a reader at 1.99 and a stranger."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with app.app_context():
            person, reader, other = factories.person(wallet="50.00"), factories.reader(), factories.person()
            self.slug = reader.slug
            people = [person.id, reader.person_id, other.id]
        self.client, self.reader, self.stranger = (Caller(app, person_id) for person_id in people)

    def count(self, table: type) -> int:
        with self.app.app_context():
            return db.session.scalar(select(func.count()).select_from(table)) or 0

    def start(self) -> int:
        status, meter = self.client.call("POST", "", {"reader": self.slug, "modality": "text"})
        assert status == 201, meter
        session_id = int(meter["id"])
        self.client.call("POST", f"{session_id}/join/")
        assert self.reader.call("POST", f"{session_id}/join/")[1]["state"] == "active"
        return session_id


@pytest.fixture
def scene(migrated_app: Flask, empty: None) -> Scene:
    """No context is pushed here: each request has its own, as in a server."""
    return Scene(migrated_app)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What is sent to PostgreSQL."""
    seen: list[str] = []

    def listen(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    yield seen
    event.remove(Engine, "before_cursor_execute", listen)


def test_a_heartbeat_with_nothing_due_writes_nothing(scene: Scene, statements: list[str]) -> None:
    session_id = scene.start()
    statements.clear()
    status, meter = scene.client.call("POST", f"{session_id}/heartbeat/")
    assert (status, meter["state"], meter["balance"]) == (200, "active", "48.01")
    assert 1 <= len(statements) <= 3
    assert all(statement.lstrip().upper().startswith("SELECT") for statement in statements), statements
    assert not any("FOR UPDATE" in statement for statement in statements)


def test_each_side_sees_its_own_money(scene: Scene) -> None:
    session_id = scene.start()
    client = scene.client.call("GET", f"{session_id}/")[1]
    reader = scene.reader.call("GET", f"{session_id}/")[1]
    assert (client["cost"], client["balance"], client["earned"]) == ("1.99", "48.01", None)
    assert (reader["earned"], reader["balance"], reader["affordable_minutes"]) == ("1.39", None, None)


@pytest.mark.parametrize("route", ["", "heartbeat/", "join/", "leave/", "reconnect/", "end/", "rtc-token/"])
def test_strangers_and_unknown_sessions(scene: Scene, route: str) -> None:
    session_id = scene.start()
    method = "POST" if route else "GET"
    assert scene.stranger.call(method, f"{session_id}/{route}")[0] == 403
    assert scene.stranger.call(method, f"999999/{route}")[0] == 404
    assert scene.stranger.call(method, f"99999999999999999999/{route}")[0] == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"modality": "text"}, "reader"),
        ({"reader": "nobody", "modality": "text"}, "reader"),
        ({"reader": "SLUG", "modality": "smoke"}, "modality"),
        ({"reader": ["x"], "modality": "text"}, "reader"),
        ({"reader": "x\0", "modality": "text"}, "reader"),
    ],
)
def test_malformed_requests_name_the_field(scene: Scene, body: dict[str, Any], field: str) -> None:
    body = {key: scene.slug if value == "SLUG" else value for key, value in body.items()}
    status, problem = scene.client.call("POST", "", body)
    assert (status, problem["code"], problem["field"]) == (422, "invalid_input", field)
    assert scene.count(ReadingSession) == 0


def test_the_same_key_is_one_request(scene: Scene) -> None:
    body = {"reader": scene.slug, "modality": "text"}
    first = scene.client.call("POST", "", body, **{"Idempotency-Key": "k1"})
    again = scene.client.call("POST", "", body, **{"Idempotency-Key": "k1"})
    other = scene.client.call("POST", "", {**body, "modality": "voice"}, **{"Idempotency-Key": "k1"})
    assert (first[0], again[0], again[1]["id"], other[0]) == (201, 201, first[1]["id"], 422)
    assert scene.client.call("POST", "", body)[0] == 409


def test_a_message_sent_twice_is_one_and_comes_in_order(scene: Scene) -> None:
    session_id = scene.start()
    key = str(uuid.uuid4())
    for body, client_key in (("one", key), ("one", key), ("<b>two</b>", str(uuid.uuid4()))):
        assert (
            scene.client.call("POST", f"{session_id}/messages/", {"body": body, "client_key": client_key})[0]
            == 201
        )
    status, answer = scene.reader.call("GET", f"{session_id}/messages/?after=0")
    assert status == 200
    assert [(item["number"], item["body"], item["mine"]) for item in answer["items"]] == [
        (1, "one", False),
        (2, "<b>two</b>", False),
    ]
    assert scene.reader.call("GET", f"{session_id}/messages/?after=2")[1]["items"] == []
    assert scene.count(ReadingMessage) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"body": "  ", "client_key": str(uuid.UUID(int=1))}, "body"),
        ({"body": "x" * 4001, "client_key": str(uuid.UUID(int=1))}, "body"),
        ({"body": "a\0b", "client_key": str(uuid.UUID(int=1))}, "body"),
        ({"body": "hello", "client_key": "nonsense"}, "client_key"),
        ({"body": "hello"}, "client_key"),
    ],
    ids=["blank", "long", "nul", "no uuid", "no key"],
)
def test_a_message_that_does_not_fit_is_refused(scene: Scene, body: dict[str, Any], field: str) -> None:
    session_id = scene.start()
    status, problem = scene.client.call("POST", f"{session_id}/messages/", body)
    assert (status, problem["field"]) == (422, field)


def test_nobody_talks_in_time_that_is_not_paid(scene: Scene) -> None:
    session_id = scene.start()
    scene.client.call("POST", f"{session_id}/leave/")
    message = {"body": "still here?", "client_key": str(uuid.uuid4())}
    assert scene.reader.call("POST", f"{session_id}/messages/", message)[0] == 409


def test_tokens_are_for_live_sessions_and_end_with_the_money(scene: Scene) -> None:
    session_id = scene.start()
    status, token = scene.client.call("POST", f"{session_id}/rtc-token/")
    assert status == 200
    assert token["token"].startswith("007")
    assert token["rtm_token"].startswith("007")
    assert token["app_id"] == gateways.current().agora.app_id
    scene.client.call("POST", f"{session_id}/leave/")
    status, problem = scene.client.call("POST", f"{session_id}/rtc-token/")
    assert (status, problem["code"]) == (409, "paused")
    scene.client.call("POST", f"{session_id}/end/")
    assert scene.reader.call("POST", f"{session_id}/rtc-token/")[0] == 409


def test_the_second_click_on_end_is_a_conflict_and_costs_nothing(scene: Scene) -> None:
    session_id = scene.start()
    assert scene.client.call("POST", f"{session_id}/end/")[0] == 200
    status, problem = scene.client.call("POST", f"{session_id}/end/")
    assert (status, problem["code"]) == (409, "illegal_move")


def test_a_note_is_its_authors_own(scene: Scene) -> None:
    session_id = scene.start()
    assert scene.client.call("PUT", f"{session_id}/note/", {"note": "Ask about March."})[0] == 200
    assert scene.stranger.call("PUT", f"{session_id}/note/", {"note": "x"})[0] == 403
    assert scene.client.call("PUT", f"{session_id}/note/", {"note": "x" * 4001})[0] == 422
