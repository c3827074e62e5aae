"""The conversation over HTTP: what a poll costs, who writes and who has read, pictures, warnings, and what is refused."""

import io
import re
import threading
import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.policies import FilePolicy
from soulseer.gateways.storage import StorageGateway
from soulseer.gateways.talk import TalkGateway
from soulseer.jobs import sweep_files
from soulseer.jobs.context import JobContext
from soulseer.models.files import StoredFile
from soulseer.models.moderation import Flag, ModerationCase
from soulseer.models.readings import ReadingMark, ReadingMessage
from soulseer.sandbox.storage.shelf import Shelf
from soulseer.services import crisis_pauses, files
from tests.readings.test_api import Caller, Scene, statements  # noqa: F401 - a fixture
from tests.sandbox.ports import free_port
from tests.texts.pictures import bomb, picture
from tests.texts.swapping import ruled, swapped


@pytest.fixture
def scene(migrated_app: Flask, empty: None) -> Scene:
    return Scene(migrated_app)


def say(who: Caller, session_id: int, body: str, **more: Any) -> tuple[int, dict[str, Any]]:
    message = {"client_key": str(uuid.uuid4()), "body": body, **more}
    return who.call("POST", f"{session_id}/messages/", message)


def poll(who: Caller, session_id: int, after: int = 0, **more: Any) -> dict[str, Any]:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    status, answer = who.call("GET", f"{session_id}/messages/?after={after}{query}")
    assert status == 200, answer
    return answer


def show(who: Caller, session_id: int, image: bytes | None, **form: str) -> tuple[int, dict[str, Any]]:
    data: dict[str, Any] = {"client_key": str(uuid.uuid4()), **form}
    if image is not None:
        data["image"] = (io.BytesIO(image), "../../evil.exe")
    answer = who.client.post(
        f"/api/sessions/{session_id}/images/", data=data, headers={"X-CSRFToken": who.token}
    )
    return answer.status_code, answer.get_json()


def reasons(scene: Scene) -> list[tuple[str, str, str]]:
    with scene.app.app_context():
        rows = db.session.execute(
            select(ModerationCase.kind, ModerationCase.object_id, Flag.reason).join(
                Flag, Flag.case_id == ModerationCase.id
            )
        )
        return sorted(tuple(row) for row in rows)


def test_a_poll_with_nothing_new_reads_no_messages_and_writes_nothing(
    scene: Scene,
    statements: list[str],  # noqa: F811
) -> None:
    session_id = scene.start()
    say(scene.client, session_id, "hello")
    for who, most in ((scene.client, 1), (scene.reader, 1)):
        assert len(poll(who, session_id)["items"]) == 1
        statements.clear()
        answer = poll(who, session_id, 1, read=1, typing="true")
        assert (answer["items"], answer["meter"]["state"]) == ([], "active")
        assert len(statements) <= most, statements
        assert all(statement.lstrip().upper().startswith("SELECT") for statement in statements)
        assert not any("reading_message" in statement for statement in statements)


def test_typing_and_marks_reach_the_other_side_and_outlive_redis(scene: Scene) -> None:
    session_id = scene.start()
    for text in ("one", "two", "three"):
        say(scene.client, session_id, text)
    heard = poll(scene.reader, session_id, 0, typing="true")
    assert (heard["other_typing"], heard["delivered"], heard["read"]) == (False, 0, 0)
    poll(scene.reader, session_id, 3, read=2, typing="true")
    heard = poll(scene.client, session_id, 3, read=3)
    assert (heard["other_typing"], heard["delivered"], heard["read"]) == (True, 3, 2)
    poll(scene.reader, session_id, 3, read=1, typing="false")
    heard = poll(scene.client, session_id, 3, read=999_999)
    assert (heard["other_typing"], heard["read"]) == (False, 2)
    # What a page says of messages that nobody sent is not believed.
    poll(scene.reader, session_id, 2**31 - 1, read=2**31 - 1)
    assert poll(scene.client, session_id, 3)["read"] == 3
    say(scene.reader, session_id, "four")
    assert scene.count(ReadingMark) == 2
    gateways.current().queue.redis.flushall()
    heard = poll(scene.client, session_id, 3)
    assert [item["body"] for item in heard["items"]] == ["four"]
    assert (heard["other_typing"], heard["delivered"], heard["read"]) == (False, 4, 4)


def test_typing_ends_by_itself(scene: Scene) -> None:
    talk = gateways.current().talk
    now = clock.now()
    talk.exchange(7, "client", "reader", now, delivered=0, read=0, typing=True)
    for seconds, writes in ((0, True), (3, True), (5, False)):
        later = now.fromtimestamp(now.timestamp() + seconds, now.tzinfo)
        heard = talk.exchange(7, "reader", "client", later, delivered=0, read=0, typing=None)
        assert heard.typing is writes


def test_without_redis_the_conversation_goes_on(scene: Scene) -> None:
    session_id = scene.start()
    with swapped(talk=TalkGateway(f"redis://127.0.0.1:{free_port()}/0")):
        assert say(scene.client, session_id, "hello")[0] == 201
        answer = poll(scene.reader, session_id)
        assert [item["body"] for item in answer["items"]] == ["hello"]
        assert answer["other_typing"] is False


def test_a_mark_that_was_lost_with_its_process_delays_a_message_by_seconds_only(scene: Scene) -> None:
    session_id = scene.start()
    say(scene.client, session_id, "one")
    assert len(poll(scene.reader, session_id)["items"]) == 1

    class Forgetful(TalkGateway):
        def learn(self, *_arguments: Any, **_more: Any) -> None:
            return None

    with swapped(talk=Forgetful(scene.app.extensions["settings"].redis_url)):
        say(scene.client, session_id, "two")
    assert poll(scene.reader, session_id, 1)["items"] == []
    now = clock.now()
    with clock.set_to(now.fromtimestamp(now.timestamp() + 11, now.tzinfo)):
        assert [item["body"] for item in poll(scene.reader, session_id, 1)["items"]] == ["two"]


def test_many_at_once_are_numbered_without_holes_and_each_once(scene: Scene) -> None:
    session_id = scene.start()
    keys = [str(uuid.uuid4()) for _ in range(6)]

    def send(who: Caller) -> None:
        for key in keys:
            assert who.call("POST", f"{session_id}/messages/", {"client_key": key, "body": key})[0] == 201

    threads = [
        threading.Thread(target=send, args=[who])
        for who in (scene.client, scene.client, scene.reader, scene.reader)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    items = poll(scene.client, session_id)["items"]
    assert [item["number"] for item in items] == list(range(1, 13))
    assert sorted(item["client_key"] for item in items if item["mine"]) == sorted(keys)


def test_contact_details_are_warned_of_once_then_sent_and_flagged(scene: Scene) -> None:
    session_id = scene.start()
    status, problem = say(scene.reader, session_id, "text me: +1 415 555 2671 or luna@example.com")
    assert (status, problem["code"], problem["kinds"]) == (422, "contact_details", ["email", "phone"])
    assert scene.count(ReadingMessage) == scene.count(Flag) == 0
    key = str(uuid.uuid4())
    for _ in range(2):
        status, sent = say(scene.reader, session_id, "text me: +1 415 555 2671", confirm=True, client_key=key)
        assert (status, sent["number"]) == (201, 1)
    assert reasons(scene) == [("message", f"{session_id}:1", "contact_details")]
    with scene.app.app_context():
        assert db.session.scalar(select(ReadingMessage.contact_kinds)) == "phone"
    assert say(scene.client, session_id, "born 12.04.1985 at 14:35, it cost $19.99")[0] == 201


def test_bad_words_are_refused_or_made_plain(scene: Scene) -> None:
    session_id = scene.start()
    assert say(scene.client, session_id, "x" * 1_100_000)[0] == 413
    assert say(scene.client, session_id, "x" * 19_000)[0] == 422
    for body in ("", "   ", "\u200b\u202e", "bell \x07", "nul \0"):
        assert say(scene.client, session_id, body)[0] == 422, body
    assert scene.count(ReadingMessage) == 0
    script = "<script>alert('x')</script>"
    assert say(scene.client, session_id, script)[1]["body"] == script
    turned = say(scene.client, session_id, "ab\u202ecd\u200b\u2066ef\ufeff")[1]["body"]
    assert turned == "abcdef"
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 ok"
    assert say(scene.client, session_id, family)[1]["body"] == family


def test_a_picture_is_stored_and_seen_by_the_two_only(
    scene: Scene, storage: StorageGateway, shelf: Shelf
) -> None:
    session_id = scene.start()
    key = str(uuid.uuid4())
    sent = picture("JPEG", (60, 40), turned=True)
    status, message = show(scene.client, session_id, sent, client_key=key, alt="My three cards", body="look")
    assert status == 201, message
    assert message["body"] == "look"
    assert message["picture"] | {"url": ""} == {"url": "", "width": 40, "height": 60, "alt": "My three cards"}
    assert show(scene.client, session_id, sent, client_key=key)[1]["number"] == message["number"]
    assert len(shelf.keys()) == 1
    url = message["picture"]["url"]
    other = poll(scene.reader, session_id)["items"][0]
    assert (other["picture"]["url"], other["mine"]) == (url, False)

    answer = scene.reader.client.get(url)
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = scene.reader.client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert scene.stranger.client.get(url).status_code == 404
    assert (
        scene.stranger.client.get(url, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 404
    )
    assert scene.app.test_client().get(url).status_code == 302
    assert scene.client.client.get("/files/999999/").status_code == 404
    # What lies there is not what was stored: nothing is shown.
    storage.put(shelf.keys()[0], b"other", "text/html")
    assert scene.reader.client.get(url).status_code == 503


def test_a_picture_that_was_taken_away_is_shown_to_nobody(scene: Scene, storage: StorageGateway) -> None:
    session_id = scene.start()
    url = show(scene.client, session_id, picture())[1]["picture"]["url"]
    with scene.app.app_context(), transaction():
        db.session.execute(update(ReadingMessage).values(hidden_at=clock.now()))
    for who in (scene.client, scene.reader):
        assert who.client.get(url).status_code == 404
    with scene.app.app_context(), transaction():
        db.session.execute(update(ReadingMessage).values(hidden_at=None))
    assert scene.reader.client.get(url).status_code == 200


def test_pictures_that_are_none_leave_nothing(scene: Scene, storage: StorageGateway, shelf: Shelf) -> None:
    session_id = scene.start()
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    refused = [show(scene.client, session_id, sent) for sent in (svg, bomb(), b"", None, picture()[:60])]
    assert [status for status, _ in refused] == [422] * 5
    assert [problem["reason"] for _, problem in refused] == ["type", "pixels", "empty", "empty", "broken"]
    with ruled(files=FilePolicy(most_bytes=500)):
        assert show(scene.client, session_id, picture("PNG", (900, 900)) + b"\0" * 2_000)[0] == 422
        assert show(scene.client, session_id, b"x" * 200_000)[0] == 413
    assert show(scene.client, session_id, picture(), alt="x" * 301)[0] == 422
    assert show(scene.client, session_id, picture(), client_key="mine")[0] == 422
    status, problem = show(scene.client, session_id, picture(), alt="my mail luna@example.com")
    assert (status, problem["code"]) == (422, "contact_details")
    assert show(scene.stranger, session_id, picture())[0] == 403
    scene.client.call("POST", f"{session_id}/leave/")
    assert show(scene.client, session_id, picture())[0] == 409
    assert scene.count(ReadingMessage) == scene.count(StoredFile) == 0
    assert shelf.keys() == []


def test_what_was_never_confirmed_is_swept(scene: Scene, storage: StorageGateway, shelf: Shelf) -> None:
    session_id = scene.start()
    kept = show(scene.client, session_id, picture())[1]["picture"]["url"]
    with scene.app.app_context():
        with transaction():
            prepared = files.picture(io.BytesIO(picture("GIF")))
            intent = files.intend(1, "message", prepared, clock.now())
        files.upload(intent, prepared)
        assert len(shelf.keys()) == 2
        now = clock.now()
        assert sweep_files.run(JobContext(now)) == {"removed": 0, "later": 0}
        later = now.fromtimestamp(now.timestamp() + 3_700, now.tzinfo)
        assert sweep_files.run(JobContext(later, dry_run=True))["files"] == 1
        with swapped(storage=StorageGateway(f"http://127.0.0.1:{free_port()}", "a", "b", "c")):
            assert sweep_files.run(JobContext(later)) == {"removed": 0, "later": 1}
        with transaction(), pytest.raises(files.FileLost):
            files.confirm(intent)
        much_later = now.fromtimestamp(now.timestamp() + 5_000, now.tzinfo)
        assert sweep_files.run(JobContext(much_later)) == {"removed": 1, "later": 0}
        assert sorted(db.session.scalars(select(StoredFile.state))) == ["removed", "stored"]
    assert len(shelf.keys()) == 1
    assert scene.client.client.get(kept).status_code == 200
    with scene.app.app_context():
        with transaction():
            files.remove(int(kept.split("/")[2]), now)
        assert scene.client.client.get(kept).status_code == 404
        assert sweep_files.run(JobContext(now)) == {"removed": 1, "later": 0}
    assert shelf.keys() == []


def test_a_storage_that_is_away_is_said_and_leaves_the_room_alone(scene: Scene) -> None:
    session_id = scene.start()
    with swapped(storage=StorageGateway(f"http://127.0.0.1:{free_port()}", "a", "b", "c")):
        status, problem = show(scene.client, session_id, picture())
    assert (status, problem["code"]) == (503, "storage_unavailable")
    with swapped(storage=StorageGateway("", "", "", "")):
        assert show(scene.client, session_id, picture())[0] == 503
    assert say(scene.client, session_id, "still here")[0] == 201


def test_words_of_a_crisis_stop_the_clock_for_both(scene: Scene) -> None:
    session_id = scene.start()
    status, sent = say(scene.client, session_id, "I don't want to live anymore")
    assert (status, sent["number"]) == (201, 1)
    for who in (scene.client, scene.reader):
        meter = who.call("GET", f"{session_id}/")[1]
        assert (meter["state"], meter["pause_cause"]) == ("paused", "crisis")
        assert 50 < meter["kept_seconds"] <= 60
        assert meter["grace_until"] is not None
    assert reasons(scene) == [("message", f"{session_id}:1", "crisis")]
    assert say(scene.client, session_id, "hello")[0] == 409
    # One alone does not start the clock, however often they ask.
    assert scene.client.call("POST", f"{session_id}/reconnect/")[1]["state"] == "reconnecting"
    for _ in range(2):
        assert scene.client.call("POST", f"{session_id}/join/")[1]["state"] == "reconnecting"
    meter = scene.reader.call("POST", f"{session_id}/join/")[1]
    assert (meter["state"], meter["minutes_billed"], meter["pause_cause"]) == ("active", 1, None)
    # Both chose to go on: words do not stop it again, asking for help does.
    assert say(scene.client, session_id, "I really want to die")[0] == 201
    assert scene.client.call("GET", f"{session_id}/")[1]["state"] == "active"
    assert len(reasons(scene)) == 2
    assert scene.reader.call("POST", f"{session_id}/help/")[1]["pause_cause"] == "crisis"
    assert ("session", str(session_id), "crisis") in reasons(scene)
    assert scene.stranger.call("POST", f"{session_id}/help/")[0] == 403


def test_a_message_of_a_crisis_that_is_sent_again_stops_the_clock_that_ran_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = scene.start()
    key, words = str(uuid.uuid4()), "I want to kill myself"

    def dies(*_: Any) -> None:
        raise OSError("killed between message and pause")

    with monkeypatch.context() as broken:
        broken.setattr(crisis_pauses, "by_words", dies)
        assert say(scene.client, session_id, words, client_key=key)[0] == 500
    assert scene.client.call("GET", f"{session_id}/")[1]["state"] == "active"
    assert say(scene.client, session_id, words, client_key=key)[1]["number"] == 1
    assert scene.client.call("GET", f"{session_id}/")[1]["pause_cause"] == "crisis"
    # Over meanwhile: the message is there all the same.
    scene.reader.call("POST", f"{session_id}/end/")
    assert say(scene.client, session_id, words, client_key=key)[0] == 201


def test_a_reading_that_ends_in_a_crisis_gives_the_unused_time_back(scene: Scene) -> None:
    session_id = scene.start()
    say(scene.reader, session_id, "I am going to kill myself")
    meter = scene.client.call("POST", f"{session_id}/end/")[1]
    assert meter["state"] == "ended"
    assert float(meter["cost"]) < 0.30
    page = scene.client.client.get(f"/readings/{session_id}/").get_data(as_text=True)
    assert "SoulSeer paused the clock to offer help" in page
    assert scene.client.call("POST", f"{session_id}/help/")[0] == 409


def test_links_lead_out_by_a_page_that_says_so(scene: Scene) -> None:
    session_id = scene.start()
    say(scene.reader, session_id, "see https://example.com/a?b=1&c=<2> and www.example.org/x")
    path = f"/leaving/?in={session_id}:1&to="
    page = scene.client.client.get(f"{path}https%3A%2F%2Fexample.com%2Fa%3Fb%3D1%26c%3D").get_data(
        as_text=True
    )
    assert re.search(r'href="https://example.com/a\?b=1&amp;c="', page)
    assert "example.com" in page
    assert 'rel="noopener noreferrer nofollow"' in page
    assert scene.client.client.get(f"{path}https://www.example.org/x").status_code == 200
    for bad in (
        "https://evil.example/", "javascript:alert(1)", "//example.com/a", "https://example.com/other",
        "http:example.com/a", "", "https://user@example.com/a",
    ):  # fmt: skip
        assert scene.client.client.get(f"{path}{bad}").status_code == 404, bad
    good = f"{path}https://www.example.org/x"
    assert scene.stranger.client.get(good).status_code == 403
    assert scene.client.client.get(good.replace(":1&", ":2&")).status_code == 404
    assert scene.client.client.get(good.replace(f"{session_id}:1", "x")).status_code == 404
    assert scene.app.test_client().get(good).status_code == 302
