"""Reviews grown up: changed for a while, answered by the reader, sorted and filtered, and counted rightly throughout."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain.errors import AlreadyReviewed, InvalidInput, NotFound, NotParticipant, NotReviewable
from soulseer.models.people import Person
from soulseer.models.readers import Review
from soulseer.services import readers, reviews
from soulseer.services.afterwards_checks import CHECKS
from soulseer.services.reviews import Order, Wanted
from tests import factories
from tests.factories import START
from tests.readers import sessions

SCRIPT = "<script>alert(1)</script>"


def write(session_id: int, client_id: int, stars: int, body: str = "") -> int:
    with transaction():
        return reviews.write(session_id, client_id, str(stars), body, START)


def breaches() -> list[tuple[str, str]]:

    db.session.rollback()
    return [tuple(row) for _, query in CHECKS for row in db.session.execute(text(query))]


@pytest.fixture
def rated(app):
    """A reader with reviews of these stars, in this order; their sessions."""
    client, reader = factories.person(handle="clara"), factories.reader(slug="luna")
    made = [sessions.finished(client.id, reader.person_id) for _ in range(7)]
    for session_id, stars in zip(made, (5, 1, 3, 5, 2, 5, 1), strict=True):
        write(session_id, client.id, stars, f"Number {session_id}")
    return client, reader, made


@pytest.mark.parametrize(
    ("wanted", "stars"),
    [
        (Wanted(), [1, 5, 2, 5, 3, 1, 5]),
        (Wanted(Order.HIGHEST), [5, 5, 5, 3, 2, 1, 1]),
        (Wanted(Order.LOWEST), [1, 1, 2, 3, 5, 5, 5]),
        (Wanted(Order.HIGHEST, 5), [5, 5, 5]),
        (Wanted(Order.NEWEST, 4), []),
    ],
)
def test_every_order_and_filter_pages_through_all_once(rated, wanted: Wanted, stars: list[int]) -> None:
    _, reader, _ = rated
    found, after = [], wanted.after
    while True:
        lines, after = reviews.of_reader(reader.person_id, Wanted(wanted.order, wanted.stars, after), limit=2)
        found += lines
        if after is None:
            break
    assert [line.stars for line in found] == stars
    assert len({line.id for line in found}) == len(stars)


def test_it_may_be_changed_for_two_weeks_and_the_rating_follows(rated) -> None:
    client, reader, made = rated
    assert readers.profile("luna").stars == (2, 1, 1, 0, 3)
    with transaction():
        reviews.edit(made[1], client.id, "4", "Better than I thought.", START + timedelta(days=13))
    profile = readers.profile("luna")
    assert (profile.stars, profile.rating_count, str(profile.rating_average)) == ((1, 1, 1, 1, 3), 7, "3.6")
    line = next(one for one in reviews.of_reader(reader.person_id)[0] if one.stars == 4)
    assert (line.body, line.edited_at) == ("Better than I thought.", START + timedelta(days=13))
    with pytest.raises(AlreadyReviewed), transaction():
        reviews.edit(made[1], client.id, "1", "", START + timedelta(days=14))
    with pytest.raises(NotParticipant), transaction():
        reviews.edit(made[1], reader.person_id, "5", "", START)
    with pytest.raises(InvalidInput), transaction():
        reviews.edit(made[1], client.id, "6", "", START)
    assert breaches() == []


def test_what_a_moderator_hid_is_not_shown_counted_changed_or_answered(rated) -> None:
    client, reader, made = rated
    with transaction():
        review = db.session.query(Review).filter_by(reading_session_id=made[1]).one()
        review.hidden_at = START
        reviews.count(review.reader_id, {review.stars: -1})
    assert readers.profile("luna").stars == (1, 1, 1, 0, 3)
    assert made[1] not in [int(line.body.split()[1]) for line in reviews.of_reader(reader.person_id)[0]]
    with pytest.raises(NotReviewable), transaction():
        reviews.edit(made[1], client.id, "5", "", START)
    with pytest.raises(NotFound), transaction():
        reviews.answer(made[1], reader.person_id, "No.", START)
    assert breaches() == []


def test_a_rating_that_does_not_follow_is_found(rated, superuser) -> None:
    superuser.execute("UPDATE reader_profile SET stars_5 = stars_5 - 1, stars_4 = stars_4 + 1")
    assert len(breaches()) == 1


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 5)), max_size=8))
def test_whatever_is_changed_the_rating_is_the_sum(rated, steps: list[tuple[int, int]]) -> None:
    client, _, made = rated
    for place, stars in steps:
        with transaction():
            reviews.edit(made[place], client.id, str(stars), "", START)
    assert breaches() == []


def test_the_readers_answer_on_the_pages(rated, browser, visitor) -> None:
    client, reader, made = rated
    own, stranger = browser(db.session.get_one(Person, reader.person_id)), browser(factories.person())
    path = f"/readings/{made[6]}/review/answer/"
    assert "Your answer" in own.get(f"/readings/{made[6]}/").text
    assert own.post(path, {"answer": f"Thank you.\n{SCRIPT}"}).status_code == 303
    assert own.post(path, {"answer": ""}).status_code == 303
    assert own.post(path, {"answer": "x" * 1001}).status_code == 303
    assert stranger.post(path, {"answer": "Mine"}).status_code == 403
    assert browser(client).post(path, {"answer": "Mine"}).status_code == 403
    assert own.post(f"/readings/{made[6] + 99}/review/answer/", {"answer": "x"}).status_code == 404
    page = visitor.get("/readers/luna/").text
    assert "answered" in page
    assert "Thank you.<br>&lt;script&gt;" in page
    assert SCRIPT not in page
    assert "&lt;script&gt;" in browser(client).get(f"/readings/{made[6]}/").text
    with transaction():
        reviews.answer(made[6], reader.person_id, "Thank you again.", START + timedelta(days=90))
    line = reviews.of_reader(reader.person_id)[0][0]
    assert (line.answer, line.answer_edited_at) == ("Thank you again.", START + timedelta(days=90))


def test_the_profile_sums_up_and_sorts_in_one_statement_more(rated, visitor, statements) -> None:
    with statements() as found:
        page = visitor.get("/readers/luna/?sort=lowest&stars=5").text
    assert len(found) <= 2, found
    assert "3.1" in page
    assert 'width="42.9%"' in page
    assert page.count('class="review"') == 3
    assert 'href="/readers/luna/?sort=lowest&amp;stars=1#reviews"' in page
    assert "/report/review/" in page
