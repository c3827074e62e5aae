"""GET /readers/{slug}/ and reviews: what a visitor, a client, the reader see; words of strangers escaped."""

from decimal import Decimal

import pytest
from sqlalchemy import func, select

from soulseer.db import db, transaction
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, ReaderRate, Review
from soulseer.services import reviews
from tests import factories
from tests.factories import START
from tests.readers import sessions

SCRIPT = '<script>alert("x")</script>'


def change(reader_id: int, **values: object) -> None:
    with transaction():
        profile = db.session.get_one(ReaderProfile, reader_id)
        for name, value in values.items():
            setattr(profile, name, value)


def review(client_id: int, reader_id: int, body: str) -> None:
    session_id = sessions.finished(client_id, reader_id)
    with transaction():
        reviews.write(session_id, client_id, "4", body, START)


def test_a_visitor_is_led_to_sign_in_and_back(visitor) -> None:
    factories.reader("1.99", slug="luna")
    answer = visitor.get("/readers/luna/")
    assert answer.status_code == 200
    assert "$1.99" in answer.text
    assert "/login?next=/readers/luna/" in answer.text
    assert "Your wallet" not in answer.text


def test_a_client_sees_what_the_wallet_covers(browser, statements) -> None:
    client, reader = factories.person(wallet="50.00", handle="clara"), factories.reader("1.99", slug="luna")
    with transaction():
        db.session.get_one(ReaderRate, (reader.person_id, "video")).rate = Decimal("50.01")
    for number in range(12):
        review(client.id, reader.person_id, f"Number {number}.")
    signed_in = browser(client)
    with statements() as found:
        answer = signed_in.get("/readers/luna/")
    assert len(found) <= 5, found
    assert "covers 25 minutes" in answer.text
    assert "Top up first" in answer.text
    assert "/wallet/?return_path=/readers/luna/" in answer.text
    assert "Number 11." in answer.text
    assert "Number 1." not in answer.text
    older = answer.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert "Number 1." in signed_in.get(older).text


@pytest.mark.parametrize(
    "query",
    ["after=x", "after=5--1", "after=5-9999999999999999999", "after=٣-1", "after=9-1", "stars=6&sort=oddest"],
)
def test_odd_places_in_the_reviews_are_no_failure(visitor, query: str) -> None:
    factories.reader(slug="luna")
    assert visitor.get(f"/readers/luna/?{query}").status_code == 200


def test_words_of_strangers_are_escaped_and_keep_their_paragraphs(visitor) -> None:
    client, reader = factories.person(), factories.reader(slug="luna")
    change(reader.person_id, biography=f"One {SCRIPT}\n\nTwo\nThree", headline=SCRIPT, display_name=SCRIPT)
    review(client.id, reader.person_id, SCRIPT)
    page = visitor.get("/readers/luna/").text
    assert SCRIPT not in page
    assert "<p>Two<br>Three</p>" in page
    assert SCRIPT not in visitor.get("/readers/browse/").text


@pytest.mark.parametrize("slug", ["nobody", "Luna", "%00", "..%2fetc", "x" * 3000, "%F0%9F%92%A9"])
def test_unknown_readers_are_404(visitor, slug: str) -> None:
    factories.reader(slug="luna")
    assert visitor.get(f"/readers/{slug}/").status_code == 404


def test_an_unlisted_reader_is_there_for_the_reader_alone(browser, visitor) -> None:
    reader = factories.reader(slug="luna")
    change(reader.person_id, listed=False, online=False, status="applied")
    other = browser(factories.person())
    own = browser(db.session.get_one(Person, reader.person_id))
    assert visitor.get("/readers/luna/").status_code == 404
    assert other.get("/readers/luna/").status_code == 404
    answer = own.get("/readers/luna/")
    assert answer.status_code == 200
    assert "Only you can see this page" in answer.text


@pytest.mark.parametrize(("state", "words"), [("offline", "is offline"), ("busy", "is in a reading")])
def test_nobody_starts_with_a_reader_who_is_not_free(browser, state: str, words: str) -> None:
    client, reader = (
        factories.person(wallet="50.00"),
        factories.reader(slug="luna", online=state != "offline"),
    )
    if state == "busy":
        sessions.waiting(factories.person().id, reader.person_id)
    page = browser(client).get("/readers/luna/").text
    assert words in page
    assert '"/readings/start/"' not in page


def test_a_review_by_its_client_once(browser, visitor) -> None:
    client, stranger, reader = (
        factories.person(handle="clara"),
        factories.person(),
        factories.reader(slug="luna"),
    )
    session_id = sessions.finished(client.id, reader.person_id)
    path = f"/readings/{session_id}/review/"
    own = browser(client)
    assert "How was it?" in own.get(path).text
    assert own.post(path, {"stars": "5"}, token=False).status_code == 400
    refused = own.post(path, {"stars": "9", "body": "kept words"})
    assert (refused.status_code, "kept words" in refused.text) == (422, True)
    written = own.post(path, {"stars": "5", "body": "Kind."})
    assert (written.status_code, written.location) == (303, "/readers/luna/#reviews")
    assert own.post(path, {"stars": "1", "body": "Again"}).status_code == 409
    assert "Publish the changes" in own.get(path).text
    assert browser(stranger).post(path, {"stars": "1"}).status_code == 403
    assert own.get("/readings/999999/review/").status_code == 404
    assert own.get(f"/readings/{'9' * 19}/review/").status_code == 404
    assert visitor.get(path).status_code == 302
    assert "Kind." in visitor.get("/readers/luna/").text
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Review)) == 1


def test_a_free_reader_is_rung_from_the_page(browser) -> None:
    client = factories.person(wallet="50.00")
    factories.reader("1.99", slug="luna")
    signed_in = browser(client)
    page = signed_in.get("/readers/luna/").text
    assert page.count('type="hidden" name="modality"') == 3
    assert 'action="/readings/start/"' in page
    rung = signed_in.post("/readings/start/", {"reader": "luna", "modality": "voice"})
    assert (rung.status_code, rung.location) == (303, "/readings/1/")
    assert "In a reading" in signed_in.get("/readers/luna/").text
    assert "Waiting for an answer" in signed_in.get("/dashboard/").text
