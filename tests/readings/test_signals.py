"""/api/sessions/{id}/signals/: who may signal, what is refused, order, two pages of one person, and a Redis that forgets."""

from typing import Any

from soulseer import gateways
from tests.readings.test_api import Caller, Scene

OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
CANDIDATE = {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}


def call_of(scene: Scene) -> int:
    """A voice reading that both are in."""
    _, meter = scene.client.call("POST", "", {"reader": scene.slug, "modality": "voice"})
    for side in (scene.client, scene.reader):
        _, meter = side.call("POST", f"{meter['id']}/join/")
    assert meter["state"] == "active"
    return int(meter["id"])


def send(side: Caller, call: int, seat: str, kind: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return side.call("POST", f"{call}/signals/", {"seat": seat, "kind": kind, **more})


def hear(side: Caller, call: int, seat: str, after: int = 0) -> tuple[int, dict[str, Any]]:
    return side.call("GET", f"{call}/signals/?seat={seat}&after={after}")


def test_two_pages_find_each_other_in_order(scene: Scene, statements: list[str]) -> None:
    call = call_of(scene)
    del statements[:]
    assert send(scene.reader, call, "reader-page", "hello")[1]["other"] is None
    status, hello = send(scene.client, call, "client-page", "hello")
    assert (status, hello["other"]) == (201, "reader-page")
    # "script" and the like are text to us and to the browser's parser; nothing of it is ever drawn.
    offer = OFFER + "a=<script>alert(1)</script>\r\n"
    send(scene.client, call, "client-page", "offer", to="reader-page", description=offer)
    send(scene.client, call, "client-page", "candidates", to="reader-page", candidates=[CANDIDATE] * 3)
    _, heard = hear(scene.reader, call, "reader-page")
    assert [item["kind"] for item in heard["items"]] == ["hello", "offer", "candidates"]
    assert heard["items"][1]["description"] == offer
    assert heard["items"][2]["candidates"] == [{**CANDIDATE, "usernameFragment": None}] * 3
    numbers = [item["number"] for item in heard["items"]]
    assert numbers == sorted(set(numbers))
    _, rest = hear(scene.reader, call, "reader-page", after=numbers[1])
    assert [item["number"] for item in rest["items"]] == numbers[2:]
    assert hear(scene.client, call, "client-page", hello["number"])[1]["items"] == []
    written = [one for one in statements if not one.lstrip().upper().startswith("SELECT")]
    assert written == [], "signals write nothing to PostgreSQL"


def test_the_newest_page_has_the_call_and_a_redis_that_forgot_is_told_again(scene: Scene) -> None:
    call = call_of(scene)
    send(scene.client, call, "first-page", "hello")
    assert hear(scene.client, call, "first-page")[0] == 200
    send(scene.client, call, "second-page", "hello")
    for status, problem in (
        hear(scene.client, call, "first-page"),
        send(scene.client, call, "first-page", "candidates"),
    ):
        assert (status, problem["code"]) == (409, "call_elsewhere")
    _, before = send(scene.client, call, "second-page", "candidates")

    gateways.current().signals.redis.flushall()
    assert send(scene.client, call, "second-page", "candidates")[1]["code"] == "call_elsewhere"
    assert hear(scene.client, call, "second-page")[0] == 200  # whoever asks first holds it again
    _, after = send(scene.client, call, "second-page", "hello")
    assert after["number"] > before["number"]
    _, heard = hear(scene.reader, call, "reader-page", after=before["number"])
    assert [item["kind"] for item in heard["items"]] == ["hello"]


FAULTS: list[dict[str, Any]] = [
    {"seat": "no"},
    {"seat": "tab\n12345"},
    {"kind": "shout"},
    {"kind": "offer"},
    {"description": OFFER},
    {"kind": "offer", "description": "hello"},
    {"kind": "offer", "description": OFFER + "a=bell\x07\r\n"},
    {"kind": "offer", "description": OFFER + "a=null\x00\r\n"},
    {"kind": "offer", "description": OFFER + "a=" + "x" * 60_000 + "\r\n"},
    {"kind": "candidates", "candidates": [{**CANDIDATE, "sdpMid": "\x1b[2J"}]},
    {"kind": "candidates", "candidates": [{"candidate": "x" * 1001}]},
    {"kind": "candidates", "candidates": [CANDIDATE] * 51},
    {"kind": "candidates", "candidates": "all"},
]


def test_what_does_not_fit_is_refused(scene: Scene) -> None:
    call = call_of(scene)
    for fault in FAULTS:
        values = {"seat": "client-page", "kind": "hello", **fault}
        assert send(scene.client, call, **values)[0] == 422, fault


def test_a_megabyte_a_stranger_and_a_reading_that_stands_still_are_refused(scene: Scene) -> None:
    call = call_of(scene)
    huge = OFFER + "a=" + "x" * 1024 * 1024
    assert send(scene.client, call, "client-page", "offer", description=huge)[0] == 413
    for status, problem in (
        hear(scene.stranger, call, "any-page"),
        send(scene.stranger, call, "any-page", "hello"),
    ):
        assert (status, problem["code"]) == (403, "not_a_participant")
    assert hear(scene.client, 999_999, "client-page")[0] == 404

    scene.client.call("POST", f"{call}/leave/")
    assert hear(scene.reader, call, "reader-page")[1]["code"] == "paused"
    scene.client.call("POST", f"{call}/reconnect/")
    assert send(scene.reader, call, "reader-page", "hello")[0] == 201
    scene.client.call("POST", f"{call}/end/")
    assert send(scene.reader, call, "reader-page", "hello")[0] == 409


def test_no_call_while_it_rings_nor_in_a_reading_by_text(scene: Scene) -> None:
    _, meter = scene.client.call("POST", "", {"reader": scene.slug, "modality": "video"})
    assert send(scene.client, meter["id"], "client-page", "hello")[0] == 409
    scene.client.call("POST", f"{meter['id']}/end/")
    text = scene.start()
    assert send(scene.client, text, "client-page", "hello")[1]["code"] == "illegal_move"
