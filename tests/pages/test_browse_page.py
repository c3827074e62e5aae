"""GET / and /readers/browse/: filters from addresses, words for what cannot be read, statements counted."""

import pytest

from tests import factories
from tests.readers import sessions


def cards(answer) -> list[str]:
    """Slugs of the cards shown, in order."""
    parts = answer.text.split("<h")
    return [p.split('href="/readers/')[1].split("/")[0] for p in parts if 'class="reader-card-name"' in p]


def test_twenty_full_rows_cost_at_most_eight_statements(browser, statements) -> None:
    client = factories.person(wallet="50.00")
    for number in range(25):
        reader = factories.reader(slug=f"reader-{number:02}")
        sessions.rate(reader.person_id, 5, 4)
    signed_in = browser(client)
    signed_in.get("/readers/browse/")
    with statements() as found:
        answer = signed_in.get("/readers/browse/")
    assert answer.status_code == 200
    assert len(cards(answer)) == 20
    assert "$50.00" in answer.text
    assert len(found) <= 4, found


def test_pages_are_walked_by_their_links(visitor) -> None:
    for number in range(45):
        factories.reader(slug=f"reader-{number:02}")
    path, seen = "/readers/browse/?search=tarot", []
    while path:
        answer = visitor.get(path)
        seen += cards(answer)
        more = (
            answer.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
            if 'rel="next"' in answer.text
            else None
        )
        path = more.replace("&amp;", "&") if more else ""
        assert not more or "search=tarot" in path
    assert seen == [f"reader-{number:02}" for number in range(45)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("modality=video&price_max=2", ["cheap"]),
        ("price=2", ["cheap"]),
        ("price_min=2", ["dear"]),
        ("rating=4.5", ["dear"]),
        ("online=1", ["cheap"]),
        ("online=on&search=dear", []),
        ("search=reader", ["cheap", "dear"]),
        ("modality=&price_max=&rating=&search=&online=", ["cheap", "dear"]),
        ("rating=0&modality=any", ["cheap", "dear"]),
    ],
)
def test_filters(visitor, query: str, found: list[str]) -> None:
    factories.reader("1.00", slug="cheap")
    dear = factories.reader("9.00", slug="dear", online=False)
    sessions.rate(dear.person_id, 5, 4)
    answer = visitor.get(f"/readers/browse/?{query}")
    assert (answer.status_code, cards(answer)) == (200, found)


@pytest.mark.parametrize(
    "query",
    [
        "modality=smell", "modality=TEXT%20", "price_max=-1", "price_max=0", "price_max=NaN", "price_max=1e400",
        "price_max=1.999", "price_max=%EF%BC%91", "price_min=abc", "price_min=5&price_max=4", "rating=6", "rating=5.1",
        "rating=%E0%B9%95", "rating=1e1", "online=maybe", "price_max=" + "9" * 5000,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_and_filters_nothing(visitor, query: str) -> None:
    factories.reader("1.00", slug="cheap")
    answer = visitor.get(f"/readers/browse/?{query}")
    assert answer.status_code == 422
    assert cards(answer) == ["cheap"]
    assert "could not be read" in answer.text


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=1-0-99999999999999999999", "search=%25%25", "search=%5C", "search=%FF%FE", "search=" + "x" * 3000,
     "search=a&search=b", "modality[]=text", "cursor=%F0%9F%92%A9"],
)  # fmt: skip
def test_odd_addresses_are_no_failure(visitor, query: str) -> None:
    factories.reader()
    assert visitor.get(f"/readers/browse/?{query}").status_code == 200


def test_a_nul_is_refused(visitor) -> None:
    assert visitor.get("/readers/browse/?search=%00").status_code == 422


def test_htmx_gets_the_list_alone_and_history_the_page(visitor) -> None:
    factories.reader(slug="only")
    fragment = visitor.get("/readers/browse/", headers={"HX-Request": "true"})
    assert cards(fragment) == ["only"]
    assert "<html" not in fragment.text
    assert "HX-Request" in fragment.headers["Vary"]
    restored = visitor.get(
        "/readers/browse/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    )
    assert "<html" in restored.text


def test_busy_and_empty_are_told(visitor) -> None:
    assert "No readers yet" in visitor.get("/readers/browse/").text
    assert "No reader fits" in visitor.get("/readers/browse/?search=zzz").text
    person, reader = factories.person(), factories.reader()
    assert "Online now" in visitor.get("/readers/browse/").text
    sessions.waiting(person.id, reader.person_id)
    assert "In a reading" in visitor.get("/readers/browse/").text


def test_the_front_page_shows_those_online(visitor, statements) -> None:
    factories.reader(slug="here")
    factories.reader(slug="away", online=False)
    with statements() as found:
        answer = visitor.get("/")
    assert cards(answer) == ["here"]
    assert len(found) == 1
