"""What people keep of each other: favourites, a reading once more, notes on people that only their author sees."""

from contextvars import Context

from sqlalchemy import func, select

from soulseer.db import db, transaction
from soulseer.models.favourites import Favourite, PersonNote
from soulseer.models.people import Person
from soulseer.services import favourites, notes, readers
from tests import factories
from tests.factories import START
from tests.pages.conftest import Browser


def kept(slug: str, viewer_id: int | None) -> bool | None:
    db.session.rollback()
    return readers.profile(slug, viewer_id).favourite


def put(side: Browser, path: str, note: str) -> int:
    token = side.get("/dashboard/").text.split('name="csrf-token" content="')[1].split('"')[0]
    answer = Context().run(side.client.put, path, json={"note": note}, headers={"X-CSRFToken": token})
    return answer.status_code


def test_a_heart_is_ones_own(app, browser, visitor) -> None:
    luna, mara = factories.reader(slug="luna"), factories.reader(slug="mara")
    client, other = factories.person(), factories.person()
    side = browser(client)
    assert side.post("/readers/luna/favourite/", {"on": "1"}).status_code == 303
    assert side.post("/readers/luna/favourite/", {"on": "1"}).location == "/readers/luna/"
    answer = side.post("/readers/mara/favourite/", {"on": "1", "return_path": "/readers/browse/"})
    assert answer.location == "/readers/browse/"
    assert (
        side.post("/readers/mara/favourite/", {"on": "0", "return_path": "//evil.test"}).location
        == "/readers/mara/"
    )
    seen = [
        kept(slug, who) for slug in ("luna", "mara") for who in (client.id, other.id, luna.person_id, None)
    ]
    assert seen == [True, False, None, None, False, False, False, None]
    assert mara.person_id != luna.person_id
    page = side.get("/readers/browse/").text
    assert (page.count('aria-pressed="true"'), page.count('aria-pressed="false"')) == (1, 1)
    assert "data-favourite" not in visitor.get("/readers/browse/").text
    # The card that is kept drawn for one looks right to another.
    theirs = browser(other).get("/readers/browse/").text
    assert (theirs.count('aria-pressed="true"'), theirs.count('aria-pressed="false"')) == (0, 2)
    assert side.post("/readers/nobody/favourite/", {"on": "1"}).status_code == 404
    reader = browser(db.session.get_one(Person, luna.person_id))
    assert reader.post("/readers/luna/favourite/", {"on": "1"}).status_code == 422
    assert db.session.scalar(select(func.count()).select_from(Favourite)) == 1


def test_the_list_of_favourites_costs_the_same_for_one_and_for_many(app, browser, statements) -> None:
    client = factories.person()
    side = browser(client)
    assert "No favourites yet" in side.get("/readers/favourites/").text
    slugs = [factories.reader(slug=f"r-{number}").slug for number in range(25)]
    for slug in slugs:
        with transaction():
            favourites.keep(client.id, slug, START)
    with statements() as found:
        page = side.get("/readers/favourites/")
    assert len(found) <= 3, found
    assert page.text.count('aria-pressed="true"') == 20
    assert page.text.index("/readers/r-24/") < page.text.index("/readers/r-23/")
    following = page.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    assert side.get(following).text.count('aria-pressed="true"') == 5
    assert side.get("/readers/favourites/?before=x").status_code == 200


def test_read_again_rings_at_once_where_the_reader_is_free(finished, sides) -> None:
    room = finished()
    client, _ = sides(room)
    page = client.get(f"/readings/{room.id}/").text
    assert 'action="/readings/start/"' in page
    answer = client.post("/readings/start/", {"reader": room.reader.slug, "modality": "text"})
    assert answer.location == f"/readings/{room.id + 1}/"
    busy = client.get(f"/readings/{room.id}/").text
    assert 'action="/readings/start/"' not in busy
    assert f'href="/readers/{room.reader.slug}/">' in busy


def test_what_a_reader_keeps_in_mind_of_a_client_is_the_readers_alone(finished, sides) -> None:
    room = finished()
    client, reader = sides(room)
    path = f"/api/sessions/{room.id}/person-note/"
    assert put(reader, path, "Lost her mother <b>in spring</b>.") == 200
    assert put(client, path, "Kind voice.") == 200
    theirs, own = reader.get(f"/readings/{room.id}/").text, client.get(f"/readings/{room.id}/").text
    assert "Lost her mother &lt;b&gt;in spring&lt;/b&gt;." in theirs
    assert "Kind voice." not in theirs
    assert "Kind voice." in own
    assert "Lost her mother" not in own
    with transaction():
        assert [(note.about, note.body) for note in notes.of_author(room.client.id)] == [
            (db.session.get_one(Person, room.reader.person_id).handle, "Kind voice.")
        ]
    assert put(reader, path, "x" * 4001) == 422
    assert put(reader, path, "") == 200
    assert db.session.scalar(select(func.count()).select_from(PersonNote)) == 1


def test_it_is_there_in_the_room_of_the_next_reading(finished, sides, browser) -> None:
    room = finished()
    _, reader = sides(room)
    assert put(reader, f"/api/sessions/{room.id}/person-note/", "Asks about work.") == 200
    client = browser(room.client)
    following = client.post("/readings/start/", {"reader": room.reader.slug, "modality": "text"}).location
    assert "Asks about work." in reader.get(following).text
    assert "Asks about work." not in client.get(following).text
    stranger = browser(factories.person())
    assert put(stranger, f"/api/sessions/{room.id}/person-note/", "x") == 403
    assert put(stranger, "/api/sessions/999999/person-note/", "x") == 404
