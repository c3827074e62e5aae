"""What is known of the connections, as staff and the participants read it."""

from collections.abc import Callable

from flask import Flask

from soulseer.blueprints import connection_words, room_calls
from soulseer.domain.readings import Role
from soulseer.services import connection_evidence, connection_samples, receipts
from tests.admin.conftest import Browser, browser  # noqa: F401 - a fixture
from tests.connections.channel import Call
from tests.readings.room import at


def lived(app: Flask) -> Call:
    """The reader's call was away for twenty seconds; the client's page says nothing for half a minute."""
    call = Call(app).start(0)
    call.joined("reader", 1)
    text = connection_samples.as_text({"round_trip_ms": 43, "quality": "good"}, 7)
    for second in range(10, 90, 10):
        told = "" if 40 <= second <= 60 else text
        room_calls.look(call.id, call.person("client"), at(second), measured=told)
        call.beat("reader", second)
    # The return first: a leave that nothing has followed by now were a drop.
    call.joined("reader", 65, received=80)
    call.left("reader", 45, received=80, reason=10)
    call.do("end", "client", 85)
    call.finalize(86)
    return call


def test_the_evidence_in_words_and_numbers(app: Flask) -> None:
    call = lived(app)
    evidence = connection_evidence.of(call.session)
    (client,) = evidence.measured
    assert (client.role, client.count, client.tabs, client.round_trip_ms) == ("client", 5, 1, 43)
    assert client.holes == ((at(30), at(70)),)
    assert (len(evidence.notices), list(evidence.out)) == (3, [])
    session = call.session
    events = receipts.receipt(session, Role.CLIENT).events
    (told,) = connection_words.beside([], session, events, Role.CLIENT, "Luna")
    assert (told.title, told.at) == ("Luna’s connection to the call was lost", at(45))
    assert told.detail == "It was back after 20 seconds. Seen by the call’s network: the network was lost."
    (own,) = connection_words.beside([], session, events, Role.READER, "Ann")
    assert own.title == "Your connection to the call was lost"


def test_staff_sees_it_on_the_sessions_page(app: Flask, browser: Callable[..., Browser]) -> None:  # noqa: F811
    call = lived(app)
    page = browser("support").get(f"/admin/sessions/{call.id}/").text
    assert "What each side measured" in page
    assert "the network was lost" in page
    assert "nothing told 12:00:30–12:01:10" in page
    written = Call(app, modality="text").start(0)
    assert "Nothing was told of any call." in browser("support").get(f"/admin/sessions/{written.id}/").text
