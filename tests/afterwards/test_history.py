"""One's readings searched and as CSV, on both sides; and what a spreadsheet must not run."""

import csv
import io
from contextvars import Context
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from flask import Flask

from soulseer.db import db, transaction
from soulseer.domain.readings import Role
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.services import history
from tests import factories
from tests.pages.conftest import Browser
from tests.readers import sessions

MOST_STATEMENTS = 3


def on(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.fixture
def past(app: Flask):
    """A client with seven readings of two readers."""
    client = factories.person(handle="clara_100")
    luna, mara = factories.reader(slug="luna"), factories.reader(slug="mara")
    with transaction():
        for profile, name in ((luna, "Luna 50%"), (mara, "=Mara, _x_")):
            db.session.get_one(ReaderProfile, profile.person_id).display_name = name
    made = {
        "a": sessions.finished(client.id, luna.person_id, minutes=3, now=on(1)),
        "b": sessions.finished(client.id, mara.person_id, minutes=10, now=on(2, 23)),
        "c": sessions.finished(client.id, luna.person_id, minutes=0, state="ended", now=on(3)),
        "d": sessions.finished(client.id, mara.person_id, minutes=1, credit_cents=99, now=on(4)),
        "e": sessions.waiting(client.id, luna.person_id, now=on(5)),
    }
    return client, luna, {number: letter for letter, number in made.items()}


def search(person_id: int, role: Role, names: dict[int, str], **typed: str) -> str:
    sought = history.read(typed, typed.pop("zone", "UTC"))
    assert sought.errors == {}
    return "".join(names[line.id] for line in history.found(person_id, role, sought)[0])


@pytest.mark.parametrize(
    ("typed", "letters"),
    [
        ({}, "edcba"),
        ({"name": "luna"}, "eca"),
        ({"name": "50%"}, "eca"),
        ({"name": "_x_ MARA"}, "db"),
        ({"name": "%"}, "eca"),
        ({"modality": "text", "outcome": "paid"}, "dba"),
        ({"modality": "voice"}, ""),
        ({"outcome": "unpaid"}, "c"),
        ({"outcome": "live"}, "e"),
        ({"since": "2026-11-02", "until": "2026-11-03"}, "cb"),
        ({"since": "2026-11-03", "until": "2026-11-03", "zone": "Asia/Tokyo"}, "cb"),
        ({"least": "1.01"}, "ba"),
        ({"least": "1", "most": "5.97"}, "da"),
    ],
)
def test_the_client_finds(past, typed: dict[str, str], letters: str) -> None:
    client, _, names = past
    assert search(client.id, Role.CLIENT, names, **typed) == letters


def test_the_reader_finds_by_what_was_earned_to_the_cent(app: Flask) -> None:
    client, reader = factories.person(handle="clara"), factories.reader()
    for credit in range(199):
        sessions.finished(client.id, reader.person_id, minutes=1, credit_cents=credit)
    lines, _ = history.found(reader.person_id, Role.READER, history.Sought(), limit=500)
    for amount in ("0.02", "0.70", "0.71", "1.39"):
        fit = {line.id for line in lines if line.amount == Decimal(amount)}
        sought = history.read({"least": amount, "most": amount, "name": "CLARA"}, "UTC")
        assert {line.id for line in history.found(reader.person_id, Role.READER, sought, limit=500)[0]} == fit
        assert fit


@pytest.mark.parametrize(
    "typed",
    [
        {"since": "yesterday"}, {"until": "9999-12-31"}, {"since": "0001-01-01"}, {"since": "٢٠٢٦-١١-٠١"},
        {"least": "-1"}, {"most": "1e9"}, {"modality": "smoke"}, {"outcome": "'; DROP"},
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_so_and_seeks_nothing(past, browser, typed: dict[str, str]) -> None:
    client, _, _ = past
    answer = browser(client).client.get("/readings/list/", query_string=typed)
    assert answer.status_code == 422
    assert answer.text.count("session-name") == 5
    assert "field-error" in answer.text


def test_pages_and_statements(past, browser, statements) -> None:
    client, luna, _ = past
    for _ in range(45):
        sessions.finished(client.id, luna.person_id, now=on(6))
    side = browser(client)
    with statements() as found:
        page = side.get("/readings/list/?name=luna&outcome=paid").text
    assert len(found) <= MOST_STATEMENTS, found
    counted = [page.count("session-name")]
    while 'rel="next"' in page:
        following = page.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
        page = side.get(following).text
        counted.append(page.count("session-name"))
    assert counted == [20, 20, 6]
    assert "No reading fits" in side.get("/readings/list/?name=nobody").text


def download(side: Browser, path: str):
    """What is written while it is read, read within its request's context."""
    return Context().run(side.client.get, path, buffered=True)


def test_csv_of_both_sides(past, browser, monkeypatch) -> None:
    client, luna, names = past
    monkeypatch.setattr(history, "BATCH", 2)
    answer = download(browser(client), "/readings/list.csv?outcome=paid")
    assert answer.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [names[int(row["reading"])] for row in rows] == ["d", "b", "a"]
    first = {key: value for key, value in rows[0].items() if key != "reading"}
    assert first == {
        "with": "'=Mara, _x_", "kind": "text", "state": "finalized", "requested_at": "2026-11-04T12:00:00Z",
        "minutes": "1", "rate": "1.99", "paid": "1.00", "currency": "USD", "stars": "",
    }  # fmt: skip
    reader = browser(db.session.get_one(Person, luna.person_id))
    theirs = list(csv.DictReader(io.StringIO(download(reader, "/readings/list.csv?role=reader").text)))
    assert [(row["with"], row["earned"]) for row in theirs] == [
        ("clara_100", "0.00"),
        ("clara_100", "0.00"),
        ("clara_100", "4.17"),
    ]
    # A role that one does not hold is not given.
    own = csv.DictReader(io.StringIO(download(browser(client), "/readings/list.csv?role=reader").text))
    assert "paid" in (own.fieldnames or [])
