"""GET /dashboard/ by role, the bell, the reader's own settings, the list of readings, the time zone."""

import pytest

from soulseer.db import db, transaction
from soulseer.models.people import Person, PersonRole
from soulseer.models.readers import ReaderProfile
from soulseer.services import reader_settings
from tests import factories
from tests.readers import sessions


def person_of(reader: ReaderProfile) -> Person:
    return db.session.get_one(Person, reader.person_id)


def give(person_id: int, role: str) -> None:
    with transaction():
        db.session.add(PersonRole(person_id=person_id, role=role))


def test_a_client_sees_balance_readings_and_money(browser, statements) -> None:
    client, reader = factories.person(wallet="50.00", handle="clara"), factories.reader("1.99", slug="luna")
    for _ in range(8):
        sessions.finished(client.id, reader.person_id)
    signed_in = browser(client)
    with statements() as found:
        answer = signed_in.get("/dashboard/")
    assert answer.status_code == 200
    assert len(found) <= 8, found
    assert "Hello, clara" in answer.text
    assert "$50.00" in answer.text
    assert "$5.97" in answer.text
    assert answer.text.count("/review/") == 5
    assert "Go online" not in answer.text


def test_somebody_new_sees_where_to_begin(browser) -> None:
    answer = browser(factories.person()).get("/dashboard/")
    assert "No reading yet" in answer.text
    assert "Nothing has moved yet" in answer.text


def test_a_reader_sees_earnings_and_the_switch(browser, statements) -> None:
    client, reader = factories.person(handle="clara"), factories.reader("1.99", slug="luna")
    sessions.finished(client.id, reader.person_id, minutes=3, credit_cents=50)
    signed_in = browser(person_of(reader))
    with statements() as found:
        answer = signed_in.get("/dashboard/")
    assert len(found) <= 8, found
    assert "Earnings pending" in answer.text
    assert "Go offline" in answer.text
    # 3 × 1.39, less 1.39 − 70 % of 1.49
    assert "$3.82" in answer.text
    assert "clara" in answer.text
    assert client.email not in answer.text


def test_both_roles_have_both_views(browser) -> None:
    reader = factories.reader(slug="luna")
    give(reader.person_id, "client")
    signed_in = browser(person_of(reader))
    assert "Earnings pending" in signed_in.get("/dashboard/").text
    assert "Your money" in signed_in.get("/dashboard/?as=client").text
    assert "Earnings pending" in signed_in.get("/dashboard/?as=admin").text


def test_an_applicant_waits(browser) -> None:
    reader = factories.reader(slug="ada", online=False)
    with transaction():
        profile = db.session.get_one(ReaderProfile, reader.person_id)
        profile.status, profile.listed = "applied", False
    signed_in = browser(person_of(reader))
    assert "Your application waits for review" in signed_in.get("/dashboard/").text
    assert signed_in.post("/dashboard/reader/online/", {"online": "1"}).status_code == 409


def test_a_role_without_a_profile_is_no_failure(browser) -> None:
    signed_in = browser(factories.person("reader"))
    assert "No profile yet" in signed_in.get("/dashboard/").text
    assert signed_in.get("/dashboard/reader/").status_code == 403


def test_the_bell_rings_until_something_changes(browser, statements) -> None:
    client, reader = factories.person(handle="clara"), factories.reader("1.99", slug="luna")
    signed_in = browser(person_of(reader))
    assert signed_in.get("/dashboard/ring/?shown=none").status_code == 204
    session_id = sessions.waiting(client.id, reader.person_id)
    with statements() as found:
        rings = signed_in.get("/dashboard/ring/?shown=none", headers={"HX-Request": "true"})
    assert len(found) == 2
    assert rings.status_code == 200
    assert "clara rings" in rings.text
    assert f"/readings/{session_id}/" in rings.text
    assert "<html" not in rings.text
    shown = rings.text.split("shown=")[1].split('"')[0]
    assert signed_in.get(f"/dashboard/ring/?shown={shown}").status_code == 204
    assert "clara rings" in signed_in.get("/dashboard/").text
    waits = browser(client).get("/dashboard/ring/").text
    assert "Waiting for an answer" in waits
    assert "Back to the room" in waits


def test_strangers_are_led_to_sign_in(visitor) -> None:
    for path in ("/dashboard/", "/dashboard/reader/", "/readings/list/"):
        answer = visitor.get(path)
        assert (answer.status_code, answer.location) == (302, f"/login?next={path}")
    assert visitor.get("/dashboard/ring/", headers={"HX-Request": "true"}).status_code == 401


def test_clients_have_no_reader_settings(browser) -> None:
    signed_in = browser(factories.person())
    assert signed_in.get("/dashboard/reader/").status_code == 403
    assert signed_in.post("/dashboard/reader/online/", {"online": "1"}).status_code == 403


def test_a_reader_goes_online_and_off(browser) -> None:
    reader = factories.reader(slug="luna", online=False)
    signed_in = browser(person_of(reader))
    assert signed_in.post("/dashboard/reader/online/", {"online": "1"}, token=False).status_code == 400
    assert signed_in.post("/dashboard/reader/online/", {"online": "2"}).status_code == 422
    done = signed_in.post("/dashboard/reader/online/", {"online": "1"})
    assert done.status_code == 303
    page = signed_in.get(done.location).text
    assert "You are online" in page
    assert "Go offline" in page


def test_rates_and_profile_are_saved_or_said_what_is_wrong(browser) -> None:
    reader = factories.reader("1.99", slug="luna")
    signed_in = browser(person_of(reader))
    wrong = signed_in.post(
        "/dashboard/reader/rates/", {"text_offered": "1", "text_rate": "1.999", "voice_rate": "3"}
    )
    assert wrong.status_code == 422
    assert 'value="1.999"' in wrong.text
    assert "two decimals" in wrong.text
    fields = {"text_offered": "1", "text_rate": "2.49", "voice_rate": "3.00", "video_rate": ""}
    assert signed_in.post("/dashboard/reader/rates/", fields).status_code == 303
    db.session.rollback()
    saved = [(o.modality.value, str(o.rate), o.offered) for o in reader_settings.offers(reader.person_id)]
    assert saved == [("text", "2.49", True), ("voice", "3.00", False), ("video", "1.99", False)]
    texts = {"display_name": "Luna", "headline": "x" * 161, "specialties": "", "biography": "About"}
    refused = signed_in.post("/dashboard/reader/profile/", texts)
    assert (refused.status_code, "About" in refused.text) == (422, True)
    assert (
        signed_in.post("/dashboard/reader/profile/", {**texts, "headline": "<b>new</b>"}).status_code == 303
    )
    assert "&lt;b&gt;new&lt;/b&gt;" in signed_in.get("/readers/luna/").text


def test_readings_are_listed_by_role_in_pages(browser, statements) -> None:
    client, reader = factories.person(handle="clara"), factories.reader("1.99", slug="luna")
    made = [sessions.finished(client.id, reader.person_id) for _ in range(21)]
    for who, amount in ((client, "$5.97"), (person_of(reader), "$4.17")):
        signed_in = browser(who)
        with statements() as found:
            first = signed_in.get("/readings/list/")
        assert len(found) <= 4, found
        assert first.text.count(amount) == 20
        path = first.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
        assert f"/readings/{made[0]}/" in signed_in.get(path).text
        assert signed_in.get("/readings/list/?before=x&role=admin").status_code == 200
    assert "No readings yet" in browser(factories.person()).get("/readings/list/").text


@pytest.mark.parametrize("zone", ["Europe/Lisbon", "America/Argentina/Buenos_Aires", "UTC"])
def test_a_time_zone_is_kept(browser, zone: str) -> None:
    person = factories.person()
    signed_in = browser(person)
    assert signed_in.post("/dashboard/time-zone/", {"time_zone": zone}).status_code == 303
    assert f"Your time zone: {zone}" in signed_in.get("/dashboard/").text


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Mars/Base",
        "../../etc/passwd",
        "Europe",
        "europe/lisbon",
        "x" * 5000,
        "localtime",
        "/etc/localtime",
    ],
)
def test_what_is_no_time_zone_is_refused(browser, zone: str) -> None:
    signed_in = browser(factories.person())
    assert signed_in.post("/dashboard/time-zone/", {"time_zone": zone}).status_code == 422
    assert "Your time zone: UTC" in signed_in.get("/dashboard/").text
