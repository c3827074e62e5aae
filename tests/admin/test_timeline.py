"""A session on one axis of time: what stood at any second, against the ledger; its bounds; the slider; a staff's report."""

import copy
import json
import re
import uuid
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.models.ledger import ReadingMinute
from soulseer.models.moderation import Flag, ModerationCase
from soulseer.models.operations import AuditEntry
from soulseer.models.readings import ReadingMessage, ReadingSessionEvent
from soulseer.services import (
    connection_samples,
    console_instants,
    console_timeline,
    ledger,
    ledger_check,
    readings,
)
from tests import factories
from tests.admin.conftest import statements
from tests.admin.test_browser import AXE, address, page  # noqa: F401 - fixtures
from tests.connections.test_shown import lived
from tests.factories import START
from tests.readers import sessions
from tests.readings.room import Room, at

WHY = "Looked at the timeline"
MOST_STATEMENTS = 12


def told(room: Room) -> list[console_instants.Standing]:
    session = room.session
    facts = console_timeline.facts_of(session)
    return console_instants.standings(session, facts, console_instants.balances(session, at(100_000)))


def test_every_second_agrees_with_the_room_and_the_ledger(app: Flask) -> None:
    """A pause, a return, a top-up meanwhile, fair credit at the end, and a later reading that is not this one's."""
    room = Room(wallet="50.00", rate="2.00")
    seen: dict[float, tuple[Decimal, Decimal, Any, int]] = {}

    def note(second: float) -> None:
        session = room.session
        seen[second] = (room.wallet, room.earnings, session.paid_until, session.minutes_billed)

    note(0)
    room.start(5)
    note(5)
    room.beats(15, 65)
    room.tick(66)
    note(70)
    room.do("leave", "reader", 80)
    note(85)
    with transaction():
        wallet = ledger.account_id(AccountKind.CLIENT_WALLET, room.client.id)
        promotions = ledger.account_id(AccountKind.PLATFORM_PROMOTIONS)
        ledger.post(
            ledger.TransferKind.ADJUSTMENT,
            "test:meanwhile",
            [ledger.Posting(promotions, Decimal("-7.00")), ledger.Posting(wallet, Decimal("7.00"))],
            at(90),
        )
    note(91)
    room.do("reconnect", "reader", 100)
    room.do("join", "reader", 101)
    room.do("join", "client", 101)
    note(105)
    room.do("end", "reader", 110)
    room.finalize(111)
    note(200)
    # Another reading of the same two, afterwards, is none of this one's business.
    later = copy.copy(room)
    with transaction():
        later.id = readings.request(room.client.id, room.reader.slug, "text", at(300)).id
    later.start(301)
    found = told(room)
    for second, (wallet_then, earnings_then, paid_until, minutes) in seen.items():
        one = console_instants.standing_at(found, at(second))
        assert (one.wallet, one.earnings, one.minutes) == (wallet_then, earnings_then, minutes), second
        if one.state == "active":
            assert one.paid_until == paid_until, second
    paused = console_instants.standing_at(found, at(85))
    assert (paused.state, paused.client, paused.reader, paused.paid_until) == ("paused", "here", "away", None)
    assert paused.kept == timedelta(seconds=45)
    assert found[-1].state == "finalized"
    assert (found[0].client, found[-1].client) == ("not yet", "gone")
    assert ledger_check.check() == []


def read(text: str) -> tuple[dict[str, str], list[Any]]:
    """What a page shows of the chosen second, and the rows that its script reads."""
    shown = dict(re.findall(r'data-standing="(\w+)">([^<]*)<', text))
    rows = re.search(r"data-rows='([^']*)'", text)
    assert rows
    return shown, json.loads(unescape(rows.group(1)))


def test_the_page_tells_a_chosen_second_without_script(app: Flask, browser: Any) -> None:
    call = lived(app)
    staff = browser("support")
    text = staff.get(f"/admin/sessions/{call.id}/?at=12").text
    shown, rows = read(text)
    assert (shown["clock"], shown["state"], shown["minutes"]) == ("12:00:12", "active", "1")
    assert (shown["paid_until"], shown["wallet"], shown["client"]) == ("12:01:00", "$47.00", "here")
    assert rows[0][1]["state"] == "created"
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert "nothing told 12:00:30–12:01:10" in text
    assert "left the call 12:00:45" in text
    last, _ = read(staff.get(f"/admin/sessions/{call.id}/").text)
    assert last["state"] in ("ended", "finalized")
    for wrong in ("", "-1", "x", "1e3", "9" * 30, "²"):
        answer = staff.get(f"/admin/sessions/{call.id}/", query_string={"at": wrong})
        assert (answer.status_code, read(answer.text)[0]) == (200, last), wrong
    assert rows[0][1]["wallet"] == "$50.00"


def test_three_hours_take_twelve_statements(app: Flask, browser: Any) -> None:
    """180 minutes charged, 900 messages and a call; the picture stays within its bounds."""
    path = f"/admin/sessions/{long_call()}/"
    staff = browser("support")
    staff.get(path)
    with statements(app) as seen:
        answer = staff.get(path)
    assert answer.status_code == 200
    assert len(seen) <= MOST_STATEMENTS, (len(seen), seen)
    assert answer.text.count('class="mark-charge"') == 180
    _, rows = read(answer.text)
    assert rows[-1][1]["minutes"] == "180"
    assert len(answer.data) < 400_000
    xs = [float(x) for x in re.findall(r'x1="([\d.]+)"', answer.text)]
    assert 108 <= min(xs) <= max(xs) <= 988


def long_call() -> int:
    """A finished reading of three hours (its id), written down as the tick, the pages and the room would."""
    client, reader = factories.person(wallet="500.00"), factories.reader("1.99")
    session_id = sessions.finished(client.id, reader.person_id, minutes=180, now=START - timedelta(hours=3))
    began = START - timedelta(hours=3)
    minutes = [began + timedelta(minutes=minute) for minute in range(180)]
    moves = (("activate", "waiting", "active", began), ("end", "active", "ended", START))
    text = connection_samples.as_text({"round_trip_ms": 60, "loss_percent": 1, "quality": "good"}, 7)
    lines = [
        f"{int(at.timestamp() * 1_000_000) + ten * 10_000_000}|{text}" for at in minutes for ten in range(6)
    ]
    with transaction():
        for number, at_ in enumerate(minutes, start=1):
            db.session.add(
                ReadingMinute(
                    reading_session_id=session_id,
                    charged_at=at_,
                    minute=number,
                    amount_cents=199,
                    reader_cents=139,
                    platform_cents=60,
                )
            )
        for action, before, after, at_ in moves:
            db.session.add(
                ReadingSessionEvent(
                    reading_session_id=session_id,
                    effective_at=at_,
                    recorded_at=at_,
                    actor_role="client",
                    action=action,
                    from_state=before,
                    to_state=after,
                )
            )
        for number in range(1, 900):
            db.session.add(
                ReadingMessage(
                    reading_session_id=session_id,
                    number=number,
                    sender_id=client.id if number % 3 else reader.person_id,
                    client_key=uuid.uuid4(),
                    body="Words",
                    created_at=began + timedelta(seconds=number * 12),
                )
            )
        connection_samples.keep(session_id, {"client": lines, "reader": lines})
    return session_id


def test_staff_report_a_side_once(app: Flask, browser: Any) -> None:
    room = Room().start()
    staff = browser("ops")
    path = f"/admin/sessions/{room.id}/report/"
    form = {"about": "reader", "because": "fraud", "reason": WHY}
    for _ in range(2):
        assert staff.post(path, **form).status_code == 303
    db.session.rollback()
    flag = db.session.scalars(select(Flag)).one()
    case = db.session.get_one(ModerationCase, flag.case_id)
    assert (flag.reporter_id, flag.reason, flag.note) == (None, "fraud", WHY)
    assert (case.kind, case.author_id, case.flag_count) == ("session", room.person("reader"), 1)
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "reading.reported")).one()
    assert (entry.actor_id, entry.details["about"]) == (staff.person_id, "reader")
    for wrong in ({"about": "staff"}, {"because": "nonsense"}, {"because": "crisis"}, {"reason": "short"}):
        assert staff.post(path, **{**form, **wrong}).status_code == 422, wrong


@pytest.mark.browser
def test_the_slider_tells_the_same_as_the_server(page: Any) -> None:  # noqa: F811 - the fixture
    room = Room().start(5)
    room.beats(15, 65)
    room.tick(70)
    room.do("leave", "client", 80)
    page.goto(f"/admin/sessions/{room.id}/?at=40")
    words = page.locator(".timeline-standing")
    before = words.inner_text()
    slider = page.get_by_role("slider", name="Second of the reading")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert words.inner_text() == before
    slider.fill("84")
    assert "0:45 kept" in words.inner_text()
    assert "paused" in (slider.get_attribute("aria-valuetext") or "")
    slider.dispatch_event("change")
    shown = words.inner_text()
    page.reload()
    assert words.inner_text() == shown
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate("axe.run(document)")["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
