"""Waiting as pages and as API: no statement more for a reader's page, and words for each refusal."""

from datetime import UTC, datetime
from typing import Any

from flask import Flask

from soulseer.db import db
from soulseer.jobs import tend_waiting
from soulseer.jobs.context import JobContext
from soulseer.models.people import Person
from tests import factories
from tests.readings.room import Room
from tests.readings.test_api import Caller
from tests.waiting.scene import Busy


class Api(Caller):
    """A caller of any address."""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        answer = self.client.open(
            path, method=method, json=body, headers={"X-CSRFToken": self.token, **headers}
        )
        return answer.status_code, answer.get_json()


def test_a_busy_readers_page_asks_for_the_queue_and_the_queue_answers(browser, statements) -> None:
    room = Room()
    room.do("join", "client", 0)
    slug = room.reader.slug
    waits = browser(factories.person(wallet="50.00"))
    idle = factories.reader().slug
    with statements() as free:
        waits.get(f"/readers/{idle}/")
    with statements() as busy:
        page = waits.get(f"/readers/{slug}/").text
    assert len(busy) == len(free)
    assert "In a reading" in page
    assert f'hx-get="/readers/{slug}/waiting/"' in page
    with statements() as asked:
        fragment = waits.get(f"/readers/{slug}/waiting/").text
    assert len(asked) == 2  # the sign-in and one
    assert "Join the queue" in fragment
    assert "data-turn-bar" not in page
    assert waits.post(f"/readers/{slug}/waiting/", {"deed": "join"}).status_code == 303
    fragment = waits.get(f"/readers/{slug}/waiting/").text
    assert 'number <span class="numeric">1</span> in the queue' in fragment
    assert "data-turn-bar" in waits.get("/readers/browse/").text
    assert waits.post(f"/readers/{slug}/waiting/", {"deed": "leave"}).status_code == 303
    assert waits.post(f"/readers/{slug}/waiting/", {"deed": "tell"}).status_code == 303
    assert "Do not tell me" in waits.get(f"/readers/{slug}/waiting/").text
    assert waits.post(f"/readers/{slug}/waiting/", {"deed": "untell"}).status_code == 303
    assert waits.post(f"/readers/{slug}/waiting/", {"deed": "nonsense"}).status_code == 422
    assert waits.get("/readers/nobody/waiting/").status_code == 404


def test_one_with_no_money_or_a_stranger_is_refused_in_words(browser, visitor) -> None:
    room = Room()
    slug = room.reader.slug
    poor = browser(factories.person())
    assert poor.post(f"/readers/{slug}/waiting/", {"deed": "join"}).status_code == 303
    assert "does not cover the shortest reading" in poor.get(f"/readers/{slug}/").text
    assert visitor.get(f"/readers/{slug}/waiting/").status_code in (302, 303, 401)


def test_a_turn_is_told_on_every_page_and_others_are_sent_to_the_queue(browser) -> None:
    busy = Busy()
    first = busy.join(10)
    busy.over(30)
    tend_waiting.run(JobContext(now=datetime.now(UTC)))
    waits = browser(db.session.get_one(Person, first))
    told = waits.get("/api/ring/").get_json()
    assert (told["waits"], told["turn"]["page"], told["ring"]) == (True, f"/readers/{busy.slug}/", None)
    assert "It is your turn" in waits.get(f"/readers/{busy.slug}/waiting/").text
    stranger = browser(factories.person(wallet="50.00"))
    refused = stranger.post("/readings/start/", {"reader": busy.slug, "modality": "text"})
    assert refused.status_code == 409
    assert f'hx-get="/readers/{busy.slug}/waiting/"' in refused.text
    page = stranger.get(f"/readers/{busy.slug}/").text
    assert "Online now" in page
    assert 'id="waiting"' in page  # somebody waits
    assert waits.post("/readings/start/", {"reader": busy.slug, "modality": "text"}).status_code == 303


def test_the_api_has_it_all(migrated_app: Flask, empty: None) -> None:
    with migrated_app.app_context():
        slug, other = Room().reader.slug, factories.reader(slug="other").slug
        client_id, poor_id = factories.person(wallet="50.00").id, factories.person().id
    client, poor = Api(migrated_app, client_id), Api(migrated_app, poor_id)
    status, answer = client.call("POST", f"/api/readers/{slug}/queue/")
    assert (status, answer["place"], answer["length"], answer["busy"]) == (200, 1, 1, True)
    assert client.call("POST", f"/api/readers/{slug}/tell-me/")[1]["told"] is True
    assert client.call("DELETE", f"/api/readers/{slug}/tell-me/")[1]["told"] is False
    assert client.call("GET", f"/api/readers/{slug}/queue/")[1]["about"] == "about 15–20 minutes"
    assert client.call("POST", f"/api/readers/{other}/queue/")[1]["code"] == "already_queued"
    assert client.call("DELETE", f"/api/readers/{slug}/queue/")[1]["place"] is None
    status, answer = poor.call("POST", f"/api/readers/{slug}/queue/")
    assert (status, answer["missing"]) == (402, "1.99")
    assert client.call("GET", "/api/readers/nobody/queue/")[0] == 404
    assert client.call("POST", "/api/readers/nobody/queue/")[0] == 422
