"""Idempotency-Key: one deed, one answer, whatever the repeats, at once or after a restart."""

import threading

import pytest

from tests.doors.probes import deed_may_end, deeds
from tests.doors.test_errors import bearer

PATH = "/api/probe/deeds/"


def do(site, key: str | None = "k1", person: str = "client@demo.test", **body):
    headers = {"Authorization": f"Bearer {site.issuer.token(person)}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return site.app.test_client().post(PATH, json={"amount": "5.00", **body}, headers=headers)


def records(superuser) -> list[tuple]:
    return superuser.execute("SELECT key, status FROM idempotency_record ORDER BY key").fetchall()


def test_the_same_key_and_body_is_one_deed_with_one_answer(site, superuser) -> None:
    first, second = do(site), do(site)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data
    assert deeds == [""]
    assert records(superuser) == [("k1", 201)]


def test_another_body_under_the_key_is_422(site) -> None:
    do(site)
    other = do(site, note="other")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_mismatch")
    assert deeds == [""]


def test_the_order_of_members_makes_no_other_body(site) -> None:
    headers = {**bearer(site), "Idempotency-Key": "k", "Content-Type": "application/json"}
    bodies = [b'{"amount":"5.00","note":"n"}', b'{ "note" : "n", "amount" : "5.00" }']
    answers = [site.app.test_client().post(PATH, data=body, headers=headers) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert deeds == ["n"]


def test_another_persons_key_is_another_key(site) -> None:
    assert do(site).get_json()["number"] == 1
    assert do(site, person="reader@demo.test").get_json()["number"] == 2


def test_without_a_key_each_is_a_deed(site, superuser) -> None:
    assert [do(site, key=None).get_json()["number"] for _ in range(2)] == [1, 2]
    assert records(superuser) == []


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_422(site, key) -> None:
    answer = do(site, key=key)
    assert (answer.status_code, answer.get_json()["field"]) == (422, "Idempotency-Key")
    assert deeds == []


@pytest.mark.parametrize("key", ["x" * 255, "k", "a b", "é", "../../etc"])
def test_any_printable_key_will_do(site, key) -> None:
    assert [do(site, key=key).get_json()["number"] for _ in range(2)] == [1, 1]


@pytest.mark.parametrize(("note", "status"), [("refuse", 409), ("break", 500), ("refuse but keep", 409)])
def test_a_refused_deed_leaves_the_key_free_and_only_what_it_keeps(site, superuser, note, status) -> None:
    assert do(site, note=note).status_code == status
    assert records(superuser) == []
    kept = superuser.execute("SELECT suspended_reason FROM person").fetchone()[0]
    assert kept == ("deed 1" if note == "refuse but keep" else None)
    assert do(site, note=note).status_code == status
    assert deeds == [note, note]


def test_twenty_at_once_are_one_deed_and_the_others_wait_for_its_answer(site, superuser) -> None:
    site.get("/api/me/", site.issuer.token())
    deed_may_end.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(do(site, note="wait"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    while not deeds:
        assert any(thread.is_alive() for thread in threads)
    assert answers == []
    deed_may_end.set()
    for thread in threads:
        thread.join()
    assert {answer.data for answer in answers} == {answers[0].data}
    assert [answer.status_code for answer in answers] == [201] * 8
    assert deeds == ["wait"]
    assert records(superuser) == [("k1", 201)]
