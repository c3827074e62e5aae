"""What comes in at the API: every malformed thing is a 4xx that names its field, never a 500."""

import json

import pytest

from tests.doors.test_errors import bearer

PATH = "/api/probe/orders/"


def post(site, visitor, data, content_type="application/json"):
    return visitor.post(PATH, data=data, content_type=content_type, headers=bearer(site))


def test_money_and_instants_go_out_as_text(site, visitor) -> None:
    answer = post(site, visitor, b'{"amount": "25"}')
    body = answer.get_json()
    assert (answer.status_code, body["amount"]) == (201, "25.00")
    assert body["at"].endswith("Z")
    assert post(site, visitor, b'{"amount": 25}').get_json()["amount"] == "25.00"
    assert post(site, visitor, b'{"amount": "0.01"}').get_json()["amount"] == "0.01"


@pytest.mark.parametrize(
    "amount",
    ["-1", "0", "0.00", "NaN", "Infinity", "1e400", "1e2", "1.999", "１.００", "٢", "1,5", "", " ", "+1", "0x10", "1_000",
     "9999999999", "1.", ".5", None, True, False, [], {}, ["25.00"], 25.5, 0.1, -1, 0, 10**30],
)  # fmt: skip
def test_an_amount_that_is_none_is_422_with_its_field(site, visitor, amount) -> None:
    answer = post(site, visitor, json.dumps({"amount": amount}))
    assert answer.status_code == 422, answer.text
    assert (answer.get_json()["code"], answer.get_json()["field"]) == ("invalid_input", "amount")


@pytest.mark.parametrize(
    ("data", "status", "field"),
    [
        (b'{"amount": NaN}', 422, "amount"),
        (b'{"amount": 1e400}', 422, "amount"),
        (b'{"amount": -Infinity}', 422, "amount"),
        (b'{"amount": "1", "other": {"deep": [1, NaN]}}', 422, "other.deep.1"),
        (b'{"amount": "1", "amount": "2"}', 422, "amount"),
        (b'{"amount": "1", "note": "a\\u0000b"}', 422, "note"),
        (b'{"amount": "1", "note": "\\ud800"}', 422, "note"),
        (b'{"amount": "1", "a\\u0000": 1}', 422, "body"),
        (b'{"amount": "1", "note": "' + b"x" * 21 + b'"}', 422, "note"),
        (b'{"amount": "1", "tags": ["a", 1]}', 422, "tags.1"),
        (b'{"amount": ' + b"9" * 5000 + b"}", 422, "body"),
        (b"{}", 422, "amount"),
        (b"", 422, "amount"),
        (b"[]", 422, "body"),
        (b'[{"amount": "1"}]', 422, "body"),
        (b'"25.00"', 422, "body"),
        (b"null", 422, "body"),
        (b"7", 422, "body"),
        (b"{", 400, None),
        (b"amount=1", 400, None),
        (b"{'amount': 1}", 400, None),
        (b'{"amount": "1"}}', 400, None),
        (b'\xff\xfe{"amount": "1"}', 400, None),
        (b'{"amount": "\xff"}', 400, None),
        (b"[" * 100_000, 400, None),
        (b'{"a":' * 100_000, 400, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_malformed_body_is_refused_and_named(site, visitor, data, status, field) -> None:
    answer = post(site, visitor, data)
    assert (answer.status_code, answer.get_json().get("field")) == (status, field), answer.text
    assert answer.mimetype == "application/problem+json"


def test_every_fault_is_listed(site, visitor) -> None:
    errors = post(site, visitor, json.dumps({"amount": "x", "note": 7})).get_json()["errors"]
    assert [fault["field"] for fault in errors] == ["amount", "note"]
    assert "two decimals" in errors[0]["detail"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_another_content_type_is_415(site, visitor, content_type) -> None:
    answer = post(site, visitor, b'{"amount": "1"}', content_type)
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")


def test_unknown_members_are_ignored(site, visitor) -> None:
    assert post(site, visitor, b'{"amount": "1", "later": [1]}').status_code == 201


def page(site, visitor, query: str = ""):
    return visitor.get(
        query if query.startswith("/") else f"/api/probe/numbers/{query}", headers=bearer(site)
    )


def test_pages_follow_each_other_to_the_end(site, visitor) -> None:
    found, following, sizes = [], "?limit=100&colour=blue%20moon", []
    while following:
        body = page(site, visitor, following).get_json()
        sizes.append(len(body["items"]))
        found += [item["number"] for item in body["items"]]
        following = body["next"]
        assert following is None or "colour=blue+moon" in following
    assert found == list(range(250, -1, -1))
    assert sizes == [100, 100, 51]


def test_a_page_has_20_by_default_and_100_at_most(site, visitor) -> None:
    for query, size in (
        ("", 20),
        ("?limit=1", 1),
        ("?limit=100", 100),
        ("?limit=101", 100),
        ("?limit=999999999", 100),
    ):
        assert len(page(site, visitor, query).get_json()["items"]) == size


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "２０", "", "1e2", "9" * 30, "%00", "NaN"])
def test_a_limit_that_is_none_is_422(site, visitor, limit) -> None:
    answer = page(site, visitor, f"?limit={limit}")
    assert (answer.status_code, answer.get_json()["field"]) == (422, "limit")


@pytest.mark.parametrize(
    "cursor",
    ["x", "!!!", "LTE=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "é", "a" * 300, "MTIz4pyT", "%F0%9F", "MS41"],
)
def test_a_cursor_that_is_none_of_ours_is_422(site, visitor, cursor) -> None:
    answer = page(site, visitor, f"?cursor={cursor}")
    assert (answer.status_code, answer.get_json()["field"]) == (422, "cursor")
