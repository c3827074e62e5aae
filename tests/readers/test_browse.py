"""Browsing: filters, order, pages, search with awkward words, and one statement for it all."""

from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain.errors import NotFound
from soulseer.domain.readings import Modality
from soulseer.models.readers import ReaderProfile, ReaderRate
from soulseer.services import readers
from soulseer.services.readers import Filters
from tests import factories
from tests.readers import sessions


def slugs(filters: Filters | None = None, cursor: str | None = None) -> list[str]:
    return [reader.slug for reader in readers.browse(filters or Filters(), cursor).readers]


def test_online_readers_come_first_then_the_better_rated_then_the_earlier(app: Flask) -> None:
    for slug, online, stars in (
        ("offline-best", False, (5,)),
        ("online-none", True, ()),
        ("online-good", True, (5, 4)),
        ("online-none-later", True, ()),
        ("online-better", True, (5, 5, 4)),
    ):
        reader = factories.reader(slug=slug, online=online)
        sessions.rate(reader.person_id, *stars)
    assert slugs() == ["online-better", "online-good", "online-none", "online-none-later", "offline-best"]


def test_pages_join_without_gap_or_repeat(app: Flask) -> None:
    for number in range(23):
        reader = factories.reader(online=number % 3 != 0)
        sessions.rate(reader.person_id, *([5, 4, 3][: number % 4]))
    whole = [r.slug for r in readers.browse(Filters(), limit=100).readers]
    walked: list[str] = []
    cursor: str | None = None
    while True:
        page = readers.browse(Filters(), cursor, limit=4)
        walked += [r.slug for r in page.readers]
        cursor = page.next
        if cursor is None:
            break
    assert walked == whole
    assert len(whole) == 23


@pytest.mark.parametrize(
    "cursor", ["", "x", "1-2", "1-99999-999999999999999999", "2-0-1", "1-0-' OR 1=1", "١-٠-١"]
)
def test_a_cursor_that_cannot_be_read_is_no_failure(app: Flask, cursor: str) -> None:
    factories.reader(slug="only")
    assert slugs(cursor=cursor) == ["only"]


def test_only_listed_readers_are_found(app: Flask) -> None:
    hidden = factories.reader(slug="hidden")
    with transaction():
        db.session.get_one(ReaderProfile, hidden.person_id).listed = False
    assert slugs() == []
    with pytest.raises(NotFound):
        readers.profile("hidden")
    assert readers.profile("hidden", viewer_id=hidden.person_id).listed is False


def test_filters_by_modality_and_price(app: Flask) -> None:
    factories.reader("1.00", slug="cheap")
    dear = factories.reader("9.00", slug="dear")
    with transaction():
        db.session.get_one(ReaderRate, (dear.person_id, "video")).rate = Decimal("2.00")
        db.session.get_one(ReaderRate, (dear.person_id, "text")).offered = False
    assert slugs(Filters(modality=Modality.TEXT)) == ["cheap"]
    assert slugs(Filters(price_max=Decimal("2.00"))) == ["cheap", "dear"]
    assert slugs(Filters(price_max=Decimal("2.00"), modality=Modality.VOICE)) == ["cheap"]
    assert slugs(Filters(price_min=Decimal("1.01"))) == ["dear"]
    assert slugs(Filters(price_min=Decimal("2.01"), price_max=Decimal("8.99"))) == []
    found = readers.browse(Filters(search="tarot")).readers[1]
    assert [(r.modality, r.rate) for r in found.rates] == [
        ("voice", Decimal("9.00")),
        ("video", Decimal("2.00")),
    ]


def test_filters_by_rating_and_presence(app: Flask) -> None:
    good, fair = factories.reader(slug="good"), factories.reader(slug="fair", online=False)
    sessions.rate(good.person_id, 5, 4)
    sessions.rate(fair.person_id, 4, 4, 3)
    assert slugs(Filters(rating=Decimal("4.5"))) == ["good"]
    assert slugs(Filters(rating=Decimal("3.6"))) == ["good", "fair"]
    assert slugs(Filters(online=True)) == ["good"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("luna", True),
        ("LUNA cards", True),
        ("cards luna", True),
        ("luna runes", False),
        ("50% off", True),
        ("50_", False),
        ("%%", False),
        ("_", False),
        ("\\", False),
        ("'; DROP TABLE person; --", False),
        ("ru\x00na", False),
        ("luna\x00", True),
        ("\ud800", True),
        ("   ", True),
        ("ο" * 5000, False),
        ("Zoe\u0308", True),
    ],
)
def test_search_takes_words_for_what_they_are(app: Flask, search: str, found: bool) -> None:
    reader = factories.reader(slug="luna")
    with transaction():
        profile = db.session.get_one(ReaderProfile, reader.person_id)
        profile.display_name, profile.headline, profile.specialties = "Luna Zoë", "Moon cards", "50% offering"
    assert slugs(Filters(search=search)) == (["luna"] if found else [])


def test_search_can_use_its_index(app: Flask) -> None:
    factories.reader(slug="luna")
    sql = f"{readers.SEARCHED} ILIKE '%moon%'"
    with transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_indexscan = off"))
        plan = session.execute(text(f"EXPLAIN SELECT slug FROM reader_profile WHERE {sql}"))
        assert "ix_reader_profile_search" in "\n".join(plan.scalars())


def test_a_reader_in_a_live_session_is_busy(app: Flask) -> None:
    client, reader = factories.person(), factories.reader(slug="luna")
    assert readers.profile("luna").state == "online"
    sessions.waiting(client.id, reader.person_id)
    assert readers.profile("luna").state == "busy"
    assert readers.browse(Filters()).readers[0].busy


@pytest.mark.parametrize("slug", ["", "x" * 64, "Luna", "lu\x00na", "../luna", "'"])
def test_an_unknown_slug_is_not_found(app: Flask, slug: str) -> None:
    factories.reader(slug="luna")
    with pytest.raises(NotFound):
        readers.profile(slug)
