"""POST /readings/start/ and GET /readings/{id}/: the room, the receipt, and what is refused."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from html import unescape

import pytest

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.people import Block, Person
from soulseer.models.readers import ReaderProfile
from soulseer.services import reading_texts
from tests import factories
from tests.factories import START
from tests.pages.conftest import Browser, browser, statements, visitor  # noqa: F401
from tests.readings.room import Room, at

Open = Callable[[Person], Browser]
MOST_STATEMENTS = 8


@pytest.fixture
def set_clock(app, monkeypatch) -> Callable[[float], None]:
    """Put the business clock to so many seconds after START; it stands still."""

    def put(seconds: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: at(seconds))

    put(0)
    return put


@pytest.fixture
def sides(set_clock, browser: Open) -> Callable[[Room], tuple[Browser, Browser]]:  # noqa: F811
    """Browsers of the room's client and reader."""

    def open_both(room: Room) -> tuple[Browser, Browser]:
        return browser(room.client), browser(person(room.reader))

    return open_both


def person(reader: ReaderProfile) -> Person:
    return db.session.get_one(Person, reader.person_id)


def attribute(page: str, name: str) -> dict:
    """The JSON in a data attribute of the page."""
    found = re.search(rf"data-{name}=([\"'])(.*?)\1", page, re.DOTALL)
    assert found
    return json.loads(unescape(found[2]))


def start(who: Browser, reader: str, modality: str = "text"):
    return who.post("/readings/start/", {"reader": reader, "modality": modality})


# --- Starting ---


def test_a_click_rings_the_reader_and_opens_the_room(set_clock, browser) -> None:  # noqa: F811
    client, reader = factories.person(wallet="50.00"), factories.reader("1.99", slug="luna")
    side = browser(client)
    answer = start(side, "luna")
    assert answer.status_code == 303
    room = side.get(answer.location)
    assert room.status_code == 200
    assert f"Ringing {reader.display_name}" in room.text
    assert attribute(room.text, "meter")["state"] == "waiting"


def test_a_second_click_opens_the_same_room(set_clock, browser) -> None:  # noqa: F811
    factories.reader("1.99", slug="luna")
    side = browser(factories.person(wallet="50.00"))
    first, second = start(side, "luna"), start(side, "luna", "voice")
    assert (second.status_code, second.location) == (303, first.location)


def test_who_is_in_another_reading_is_led_back_to_it(set_clock, browser) -> None:  # noqa: F811
    factories.reader("1.99", slug="luna"), factories.reader("1.99", slug="mara")
    side = browser(factories.person(wallet="50.00"))
    first = start(side, "luna")
    refused = start(side, "mara")
    assert refused.status_code == 409
    assert "You are in a reading already" in refused.text
    assert first.location in refused.text


def test_a_busy_reader_is_no_error_page(set_clock, browser) -> None:  # noqa: F811
    factories.reader("1.99", slug="luna")
    start(browser(factories.person(wallet="50.00")), "luna")
    refused = start(browser(factories.person(wallet="50.00")), "luna")
    assert refused.status_code == 409
    assert "See who is free" in refused.text
    assert "Nothing was charged" in refused.text


def test_too_little_money_leads_to_a_top_up_that_returns(set_clock, browser) -> None:  # noqa: F811
    factories.reader("1.99", slug="luna")
    refused = start(browser(factories.person(wallet="0.50")), "luna")
    assert refused.status_code == 402
    assert "$1.49 is missing" in refused.text
    assert 'name="return_path" value="/readers/luna/"' in refused.text
    assert 'action="/wallet/top-up/"' in refused.text


def test_an_offline_blocked_or_unknown_reader_is_refused_in_words(set_clock, browser) -> None:  # noqa: F811
    client = factories.person(wallet="50.00")
    factories.reader("1.99", slug="away", online=False)
    hidden = factories.reader("1.99", slug="hidden")
    with transaction():
        db.session.add(Block(blocker_id=hidden.person_id, blocked_id=client.id, created_at=START))
    side = browser(client)
    for slug, status in (("away", 409), ("hidden", 409), ("nobody", 422), ("", 422), ("x" * 5000, 422)):
        refused = start(side, slug)
        assert refused.status_code == status, slug
        assert "See who is free" in refused.text
    assert start(side, "away", "smoke").status_code == 422


def test_one_cannot_read_for_oneself(set_clock, browser) -> None:  # noqa: F811
    reader = factories.reader("1.99", slug="luna")
    assert start(browser(person(reader)), "luna").status_code == 422


def test_starting_needs_sign_in_and_the_token(set_clock, browser, visitor) -> None:  # noqa: F811
    factories.reader("1.99", slug="luna")
    side = browser(factories.person(wallet="50.00"))
    fields = {"reader": "luna", "modality": "text"}
    assert side.post("/readings/start/", fields, token=False).status_code == 400
    assert visitor.get("/readings/1/").status_code == 302


# --- The room ---


def test_strangers_and_the_unknown_are_refused(set_clock, browser) -> None:  # noqa: F811
    room = Room()
    stranger = browser(factories.person("client", "admin"))
    for path in (f"/readings/{room.id}/", f"/readings/{room.id}/state/"):
        assert stranger.get(path).status_code == 403
    assert stranger.get(f"/readings/{room.id + 1}/").status_code == 404
    assert stranger.get("/readings/99999999999999999999/").status_code == 404


def test_the_room_of_an_active_reading(sides, set_clock, statements) -> None:  # noqa: F811
    room = Room(modality="voice")
    client, reader = sides(room)
    room.start(0)
    set_clock(5)
    with statements() as found:
        page = client.get(f"/readings/{room.id}/")
    assert len(found) <= MOST_STATEMENTS, found
    meter, facts = attribute(page.text, "meter"), attribute(page.text, "facts")
    assert (meter["state"], meter["balance"], meter["affordable_minutes"]) == ("active", "48.01", 24)
    assert (facts["role"], facts["heartbeatSeconds"]) == ("client", 10)
    assert f'name="return_path" value="/readings/{room.id}/"' in page.text
    theirs = reader.get(f"/readings/{room.id}/").text
    meter = attribute(theirs, "meter")
    assert (meter["balance"], meter["affordable_minutes"], meter["earned"]) == (None, None, "1.39")
    assert "48.01" not in theirs
    assert "return_path" not in theirs


def test_the_reader_may_answer_or_decline(sides) -> None:
    room = Room()
    _, reader = sides(room)
    page = reader.get(f"/readings/{room.id}/").text
    assert "Answer" in page
    assert "Decline" in page


def test_a_handle_and_a_name_are_shown_as_text(sides, set_clock) -> None:
    room = Room()
    with transaction():
        db.session.get_one(ReaderProfile, room.reader.person_id).display_name = "L'\"><b>una</b>"
    client, _ = sides(room)
    page = client.get(f"/readings/{room.id}/").text
    assert "<b>una" not in page
    assert attribute(page, "facts")["other"] == "L'\"><b>una</b>"


def test_opening_the_page_settles_what_is_over(sides, set_clock) -> None:
    room = Room()
    client, _ = sides(room)
    set_clock(121)
    page = client.get(f"/readings/{room.id}/").text
    assert "No reading took place" in page
    assert "Nobody answered in time" in page
    assert room.session.state == "ended"


def test_a_page_left_open_by_one_who_stepped_out_is_no_sign_of_life(sides, set_clock) -> None:
    """Or the client could start the clock of a reading at which the reader is not."""
    room = Room().start(0)
    _, reader = sides(room)
    room.do("leave", "reader", 10)
    for second in range(12, 60, 5):
        set_clock(second)
        state = reader.get(f"/readings/{room.id}/state/").get_json()
        assert (state["state"], state["pause_cause"]) == ("paused", "reader_left")
        assert reader.get(f"/readings/{room.id}/").status_code == 200
        room.beat("client", second)
    room.do("reconnect", "client", 61)
    assert room.do("join", "client", 61).session.state == "reconnecting"
    set_clock(320)
    assert reader.get(f"/readings/{room.id}/state/").get_json()["state"] == "ended"


# --- The receipt ---


def test_a_receipt_tells_every_minute_pause_and_credit(sides, set_clock, statements) -> None:  # noqa: F811
    room = Room(wallet="200.00").start(0)
    client, reader = sides(room)
    room.beats(10, 90)
    room.do("leave", "client", 95)
    room.beats(100, 150, "reader")
    room.do("reconnect", "client", 155)
    room.do("join", "client", 156)
    room.beats(160, 200)
    room.do("end", "reader", 205)
    set_clock(206)
    page = client.get(f"/readings/{room.id}/").text
    # 95 seconds, then 49: three minutes, of which 36 seconds are left and given back, since the reader ended it.
    lines = re.findall(
        r'data-minute="(\d+)".*?datetime="2026-11-20T(.*?)\..*?(\$\S+)</span>', page, re.DOTALL
    )
    assert lines == [("1", "12:00:00", "$1.99"), ("2", "12:01:00", "$1.99"), ("3", "12:03:01", "$1.99")]
    assert "You stepped out" in page
    assert "1:01 not charged" in page
    assert "−$1.19" in page
    assert "$4.78" in page
    assert "Being checked" in page
    assert room.finalize(210)["finalized"] == 1
    with statements() as found:
        settled = client.get(f"/readings/{room.id}/").text
    assert len(found) <= MOST_STATEMENTS, found
    assert re.search(r"<code>\w{4}-\w{4}-\w{4}</code>", settled)
    assert "Being checked" not in settled
    assert f'action="/readings/{room.id}/review/"' in settled
    theirs = reader.get(f"/readings/{room.id}/").text
    assert "$1.39" in theirs
    assert f"${room.earnings}" in theirs
    assert "1.99" not in theirs.split("Line by line")[1].split("What happened")[0]
    assert "review/" not in theirs


def test_the_lines_add_up_to_what_the_wallet_lost(sides, set_clock, statements) -> None:  # noqa: F811
    room = Room(wallet="200.00").start(0)
    client, reader = sides(room)
    room.beats(10, 3590)
    room.do("end", "reader", 3595)
    assert room.session.minutes_billed == 60
    room.finalize(3600)
    set_clock(3600)
    for side, total in ((client, Decimal("200.00") - room.wallet), (reader, room.earnings)):
        with statements() as found:
            page = side.get(f"/readings/{room.id}/")
        assert len(found) <= MOST_STATEMENTS, found
        body = page.text.split("Line by line")[1].split("receipt-total")[0]
        amounts = [
            Decimal(text.replace("−$", "-").replace("$", ""))
            for text in re.findall(r'class="money">(\S+)<', body)
        ]
        assert len(amounts) == 61
        assert sum(amounts) == total
        assert f"${total}" in page.text


def test_a_receipt_with_talk_note_and_words(sides, set_clock) -> None:
    room = Room().start(0)
    client, reader = sides(room)
    with transaction():
        reading_texts.send(
            room.session,
            room.client.id,
            reading_texts.Draft("00000000-0000-4000-8000-000000000001", "<i>hi</i>"),
            at(3),
        )
        reading_texts.write_note(room.id, room.client.id, "mine alone", at(4))
    room.do("end", "client", 20)
    set_clock(21)
    page = client.get(f"/readings/{room.id}/").text
    assert "&lt;i&gt;hi&lt;/i&gt;" in page
    assert "mine alone" in page
    assert "You ended it." in page
    assert f'href="/readers/{room.reader.slug}/"' in page
    theirs = reader.get(f"/readings/{room.id}/").text
    assert "mine alone" not in theirs
    assert f"{room.client.handle} ended it." in theirs
