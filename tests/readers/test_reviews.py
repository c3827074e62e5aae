"""Reviews: who may write one, of what, once; and that the rating follows."""

import threading
from decimal import Decimal

import pytest
from flask import Flask

from soulseer.db import db, transaction
from soulseer.domain.errors import AlreadyReviewed, InvalidInput, NotFound, NotParticipant, NotReviewable
from soulseer.models.readers import ReaderProfile
from soulseer.services import readers, reviews
from tests import factories
from tests.factories import START
from tests.readers import sessions


def write(session_id: int, client_id: int, stars: str = "5", body: str = "Kind and clear.") -> int:
    with transaction():
        return reviews.write(session_id, client_id, stars, body, START)


def test_a_review_is_shown_and_counted(app: Flask) -> None:
    client, reader = factories.person(handle="clara"), factories.reader(slug="luna")
    for stars, body in (("5", "Kind.\r\n\r\n\r\n\r\nAnd clear."), ("4", "")):
        write(sessions.finished(client.id, reader.person_id), client.id, stars, body)
    shown, following = reviews.of_reader(reader.person_id)
    assert [(line.handle, line.stars, line.body) for line in shown] == [
        ("clara", 4, ""),
        ("clara", 5, "Kind.\n\nAnd clear."),
    ]
    assert following is None
    profile = readers.profile("luna")
    assert (profile.rating_average, profile.rating_count) == (Decimal("4.5"), 2)


def test_reviews_come_in_pages(app: Flask) -> None:
    client, reader = factories.person(), factories.reader()
    for _ in range(5):
        write(sessions.finished(client.id, reader.person_id), client.id)
    first, after = reviews.of_reader(reader.person_id, limit=3)
    second, end = reviews.of_reader(reader.person_id, reviews.Wanted(after=after), limit=3)
    assert (len(first), len(second), end) == (3, 2, None)
    assert min(line.id for line in first) > max(line.id for line in second)


def test_one_review_a_session(app: Flask) -> None:
    client, reader = factories.person(), factories.reader()
    session_id = sessions.finished(client.id, reader.person_id)
    write(session_id, client.id)
    with pytest.raises(AlreadyReviewed):
        write(session_id, client.id, "1")
    assert reviews.reviewable(session_id, client.id, START).stars == 5
    with pytest.raises(AlreadyReviewed):
        reviews.reviewable(session_id, client.id, START + reviews.EDITABLE)
    assert db.session.get_one(ReaderProfile, reader.person_id).rating_sum == 5


def test_only_the_client_may(app: Flask) -> None:
    client, stranger, reader = factories.person(), factories.person(), factories.reader()
    session_id = sessions.finished(client.id, reader.person_id)
    for other in (stranger.id, reader.person_id):
        with pytest.raises(NotParticipant):
            write(session_id, other)
    with pytest.raises(NotFound):
        write(session_id + 1000, client.id)


@pytest.mark.parametrize(
    "facts",
    [
        {"state": "ended"},
        {"minutes": 0},
        {"minutes": 1, "rate_cents": 199, "credit_cents": 199},
    ],
)
def test_only_of_a_finalized_paid_session(app: Flask, facts: dict) -> None:
    client, reader = factories.person(), factories.reader()
    session_id = sessions.finished(client.id, reader.person_id, **facts)
    with pytest.raises(NotReviewable):
        write(session_id, client.id)


@pytest.mark.parametrize("stars", ["", "0", "6", "-1", "4.5", "NaN", "1e400", "５", "5 ", "05"])
def test_stars_are_one_to_five(app: Flask, stars: str) -> None:
    client, reader = factories.person(), factories.reader()
    session_id = sessions.finished(client.id, reader.person_id)
    with pytest.raises(InvalidInput) as refusal:
        write(session_id, client.id, stars)
    assert refusal.value.field == "stars"


@pytest.mark.parametrize("body", ["x" * 2001, "nul\x00", "bell\x07", "\ud800"])
def test_texts_that_cannot_be_kept_are_refused(app: Flask, body: str) -> None:
    client, reader = factories.person(), factories.reader()
    session_id = sessions.finished(client.id, reader.person_id)
    with pytest.raises(InvalidInput) as refusal:
        write(session_id, client.id, "5", body)
    assert refusal.value.field == "body"


def test_many_at_once_lose_no_star(app: Flask) -> None:
    client, reader = factories.person(), factories.reader(slug="luna")
    client_id = client.id
    made = [sessions.finished(client.id, reader.person_id) for _ in range(12)]
    refused: list[int] = []
    begin = threading.Barrier(8)

    def run(own: list[int]) -> None:
        with app.app_context():
            begin.wait()
            for session_id in own:
                try:
                    write(session_id, client_id, "4")
                except AlreadyReviewed:
                    refused.append(session_id)

    # Each session is reviewed by two threads at once.
    threads = [threading.Thread(target=run, args=(made[n % 4 :: 4],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    assert sorted(refused) == made
    profile = readers.profile("luna")
    assert (profile.rating_count, profile.rating_average) == (12, Decimal("4.0"))
