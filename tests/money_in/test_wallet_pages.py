"""The wallet's pages and API over real HTTP."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
import requests
from flask import Flask

from soulseer.services import top_ups
from tests import factories
from tests.factories import START
from tests.money_in import events
from tests.money_in.browser import Browser, signed_in
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import top_up, wallet_of, work
from tests.money_in.readings import paid_reading

BAD_AMOUNTS = [
    "-5",
    "0",
    "0.00",
    "NaN",
    "Infinity",
    "1e400",
    "1e1",
    "25.001",
    "２５",
    "٢٥",
    "25,00",
    "$25",
    "",
    " ",
    "0x19",
    "9" * 400,
    "4.99",
    "500.01",
]


@pytest.fixture
def browser(app: Flask, sandbox: Sandbox) -> Browser:
    """Somebody with nothing in the wallet."""
    return signed_in(app, sandbox, factories.person(handle="seeker").id)


def test_from_the_form_to_stripe_and_back(sandbox: Sandbox, browser: Browser) -> None:
    page = browser.get("/wallet/")
    assert page.status_code == 200
    assert "$0.00" in page.text
    assert "Nothing has moved yet" in page.text
    answer = browser.top_up("25.00")
    assert answer.status_code == 303
    (checkout,) = sandbox.checkouts()
    assert answer.headers["Location"] == checkout["url"]

    waiting = browser.get("/wallet/").text
    assert "Waiting for payment" in waiting
    assert 'hx-get="/wallet/top-ups/?waiting=1&amp;tries=1"' in waiting
    back = "/wallet/top-up/1/?from=checkout"
    assert "Waiting for confirmation" in browser.get(back).text
    assert 'hx-trigger="load delay:3s"' in browser.get(back).text

    sandbox.pay(checkout["id"])
    events.wait_for(lambda: len(events.statuses()) == 4)
    work()
    poll = browser.get(
        "/wallet/top-up/1/state/?shown=open&from=checkout&tries=4", headers={"HX-Request": "true"}
    )
    assert poll.headers["HX-Refresh"] == "true"
    decided = browser.get(back).text
    assert "The money is in your wallet." in decided
    assert "hx-get" not in decided
    assert browser.get("/wallet/top-ups/?waiting=1&tries=1").headers["HX-Refresh"] == "true"
    after = browser.get("/wallet/").text
    assert after.count("$25.00") >= 3
    assert "Top-up by card" in after
    assert "hx-get" not in after


@pytest.mark.parametrize(
    "address", ["/wallet/top-up/1/state/?shown=open&from=checkout", "/wallet/top-ups/?waiting=1"]
)
def test_polling_stops_by_itself(sandbox: Sandbox, browser: Browser, address: str) -> None:
    browser.top_up("25.00")
    poll = browser.get(f"{address}&tries=58")
    assert "HX-Refresh" not in poll.headers
    assert "tries=59" in poll.text
    for last in ("60", "61", "-1", "x", "9" * 30):
        text = browser.get(f"{address}&tries={last}").text
        assert "hx-get" not in text
        assert "Look again" in text


def test_a_top_up_from_the_room_leads_back_to_it(sandbox: Sandbox, browser: Browser) -> None:
    fields = browser.fields("/wallet/?return_path=/readings/12/")
    assert fields["return_path"] == "/readings/12/"
    browser.post("/wallet/top-up/", {**fields, "amount": "10.00"})
    assert "Back to your reading" in browser.get("/wallet/top-up/1/?from=checkout").text
    sandbox.pay(sandbox.checkouts()[0]["id"])
    events.wait_for(lambda: len(events.statuses()) == 4)
    work()
    returned = browser.get("/wallet/top-up/1/?from=checkout")
    assert (returned.status_code, returned.headers["Location"]) == (303, "/readings/12/")
    # Looked at later, the page stays.
    assert browser.get("/wallet/top-up/1/").status_code == 200


@pytest.mark.parametrize("path", ["https://evil.test/", "//evil.test", "/\\evil.test"])
def test_the_way_back_stays_on_this_site(sandbox: Sandbox, browser: Browser, path: str) -> None:
    assert browser.top_up("10.00", return_path=path).status_code == 422
    assert sandbox.checkouts() == []
    assert browser.fields(f"/wallet/?return_path={path}")["return_path"] == "/wallet/"


@pytest.mark.parametrize("amount", BAD_AMOUNTS)
def test_bad_amounts_name_the_field_and_write_nothing(
    sandbox: Sandbox, browser: Browser, amount: str
) -> None:
    page = browser.top_up(amount)
    assert page.status_code == 422
    assert 'id="amount-error"' in page.text
    api = browser.api("POST", "/api/wallet/top-ups/", {"amount": amount})
    assert (api.status_code, api.json()["field"], api.json()["code"]) == (422, "amount", "invalid_input")
    assert top_ups.recent(1) == []
    assert sandbox.checkouts() == []


@pytest.mark.parametrize(
    "body", [{}, {"amount": None}, {"amount": 25.5}, {"amount": True}, {"amount": ["25"]}, {"amount": -25}]
)
def test_bodies_that_do_not_fit_name_the_field(sandbox: Sandbox, browser: Browser, body: dict) -> None:
    answer = browser.api("POST", "/api/wallet/top-ups/", body)
    assert (answer.status_code, answer.json()["field"]) == (422, "amount")
    assert top_ups.recent(1) == []


@pytest.mark.parametrize("raw", [b'{"amount": 1e400}', b'{"amount": NaN}', b'{"amount": "25\\u0000"}', b"[]"])
def test_raw_bodies_that_do_not_fit_are_422(sandbox: Sandbox, browser: Browser, raw: bytes) -> None:
    answer = browser.session.post(
        f"{sandbox.product}/api/wallet/top-ups/",
        data=raw,
        headers={"Content-Type": "application/json", "X-CSRFToken": browser.fields()["csrf_token"]},
        timeout=10,
    )
    assert answer.status_code == 422
    assert top_ups.recent(1) == []


def test_without_the_csrf_token_nothing_happens(sandbox: Sandbox, browser: Browser) -> None:
    assert browser.top_up("25.00", csrf_token="forged").status_code == 400
    assert (
        browser.session.post(
            f"{sandbox.product}/api/wallet/top-ups/", json={"amount": "25.00"}, timeout=5
        ).status_code
        == 400
    )
    assert top_ups.recent(1) == []


def test_strangers_are_sent_away(sandbox: Sandbox, app: Flask, browser: Browser) -> None:
    browser.top_up("25.00")
    other = signed_in(app, sandbox, factories.person().id)
    for path in ("/wallet/top-up/1/", "/wallet/top-up/1/state/", "/wallet/top-up/99999999999999999999/"):
        assert other.get(path).status_code == 404
    token = other.fields()["csrf_token"]
    assert other.post("/wallet/top-up/1/cancel/", {"csrf_token": token}).status_code == 404
    assert top_up(1).state == "open"
    for path in ("/api/wallet/", "/api/wallet/entries/"):
        assert requests.get(sandbox.product + path, timeout=5).status_code == 401


def test_two_clicks_are_one_checkout_and_another_amount_another(
    sandbox: Sandbox, app: Flask, browser: Browser
) -> None:
    fields = browser.fields() | {"amount": "25.00"}
    answers = in_threads(
        app,
        3,
        lambda _: Browser(browser.address, browser.session.cookies["soulseer"]).post(
            "/wallet/top-up/", fields
        ),
    )
    assert [answer.status_code for answer in answers] == [303] * 3
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len(sandbox.checkouts()) == 1
    browser.post("/wallet/top-up/", fields | {"amount": "50.00"})
    assert len(sandbox.checkouts()) == 2


def test_with_stripe_down_the_page_says_so_and_the_next_click_goes_on(
    sandbox: Sandbox, browser: Browser
) -> None:
    sandbox.faults(fail_api={"status": 500, "count": 3})
    fields = browser.fields() | {"amount": "25.00"}
    page = browser.post("/wallet/top-up/", fields)
    assert page.status_code == 502
    assert "The payment could not be started" in page.text
    assert f'name="request_key" value="{fields["request_key"]}"' in page.text
    assert browser.post("/wallet/top-up/", fields).status_code == 303
    assert (len(top_ups.recent(1)), len(sandbox.checkouts())) == (1, 1)


def test_cancelling_closes_the_checkout_for_good(sandbox: Sandbox, browser: Browser) -> None:
    browser.top_up("25.00")
    assert "You left the checkout" in browser.get("/wallet/top-up/1/?from=canceled").text
    token = {"csrf_token": browser.fields()["csrf_token"]}
    answer = browser.post("/wallet/top-up/1/cancel/", token)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/wallet/top-up/1/")
    assert (top_up(1).state, sandbox.checkouts()[0]["status"]) == ("expired", "expired")
    assert "Expired" in browser.get("/wallet/top-up/1/").text
    assert browser.post("/wallet/top-up/1/cancel/", token).status_code == 303


def test_cancelling_what_is_paid_already_credits_it(sandbox: Sandbox, browser: Browser) -> None:
    browser.top_up("25.00")
    sandbox.faults(drop_webhooks=100)
    sandbox.pay(sandbox.checkouts()[0]["id"])
    browser.post("/wallet/top-up/1/cancel/", {"csrf_token": browser.fields()["csrf_token"]})
    assert (top_up(1).state, wallet_of(1)) == ("paid", Decimal("25.00"))


def test_the_api_of_top_ups(sandbox: Sandbox, browser: Browser) -> None:
    answer = browser.api("POST", "/api/wallet/top-ups/", {"amount": "25.00"})
    (checkout,) = sandbox.checkouts()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": 1,
        "amount": "25.00",
        "currency": "USD",
        "state": "open",
        "checkout_url": checkout["url"],
        "checkout_session_id": checkout["id"],
    }
    wallet = browser.api("GET", "/api/wallet/").json()
    assert (wallet["balance"], wallet["promotional"], wallet["currency"]) == ("0.00", "0.00", "USD")
    assert wallet["held"] is None


def test_idempotency_keys(sandbox: Sandbox, app: Flask, browser: Browser) -> None:
    def post(amount: str, who: Browser = browser) -> requests.Response:
        return who.api("POST", "/api/wallet/top-ups/", {"amount": amount}, **{"Idempotency-Key": "k" * 255})

    first = post("25.00")
    sandbox.pay(first.json()["checkout_session_id"])
    events.wait_for(lambda: len(events.statuses()) == 4)
    work()
    again = post("25.00")
    assert (again.status_code, again.json()) == (201, first.json())
    other_body = post("30.00")
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_mismatch")
    other = post("30.00", signed_in(app, sandbox, factories.person().id))
    assert (other.status_code, len(sandbox.checkouts())) == (201, 2)
    long = browser.api("POST", "/api/wallet/top-ups/", {"amount": "25.00"}, **{"Idempotency-Key": "k" * 256})
    assert long.status_code == 422


def test_an_idempotency_key_survives_an_outage(sandbox: Sandbox, browser: Browser) -> None:
    def post(amount: str = "25.00") -> requests.Response:
        return browser.api("POST", "/api/wallet/top-ups/", {"amount": amount}, **{"Idempotency-Key": "k"})

    assert post("1.00").status_code == 422
    sandbox.faults(timeout_after_effect=3)
    assert post().status_code == 502
    answer = post()
    assert (answer.status_code, answer.json()["id"]) == (201, 1)
    assert answer.json()["checkout_session_id"] == sandbox.checkouts()[0]["id"]
    assert (len(top_ups.recent(1)), len(sandbox.checkouts())) == (1, 1)


def test_the_same_key_at_once_is_one_top_up(sandbox: Sandbox, app: Flask, browser: Browser) -> None:
    token = browser.fields()["csrf_token"]
    cookie = browser.session.cookies["soulseer"]

    def post(_: int) -> requests.Response:
        headers = {"Idempotency-Key": "k", "X-CSRFToken": token}
        return requests.post(
            f"{sandbox.product}/api/wallet/top-ups/",
            json={"amount": "25.00"},
            headers=headers,
            cookies={"soulseer": cookie},
            timeout=30,
        )

    answers = in_threads(app, 3, post)
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.text for answer in answers}) == 1
    assert len(sandbox.checkouts()) == 1


def test_entries_are_told_one_by_one_and_the_page_groups_them(sandbox: Sandbox, app: Flask) -> None:
    person = factories.person(wallet="50.00")
    reader = factories.reader("1.99")
    reading = paid_reading(
        person.id, reader.person_id, minutes=3, at=START + timedelta(hours=1), credit_cents=50
    )
    browser = signed_in(app, sandbox, person.id)

    seen, address = [], "/api/wallet/entries/?limit=2"
    while address:
        answer = browser.api("GET", address).json()
        assert len(answer["items"]) <= 2
        seen += answer["items"]
        address = answer["next"]
    assert [(entry["kind"], entry["amount"], entry["session_id"], entry["minute"]) for entry in seen] == [
        ("fair_credit", "0.50", reading, None),
        ("reading_minute", "-1.99", reading, 3),
        ("reading_minute", "-1.99", reading, 2),
        ("reading_minute", "-1.99", reading, 1),
        ("adjustment", "50.00", None, None),
    ]
    assert seen[1]["idempotency_key"] == f"reading:{reading}:minute:3"
    assert seen[1]["created_at"] == "2026-11-20T13:02:00Z"
    assert sum(Decimal(entry["amount"]) for entry in seen) == wallet_of(person.id)

    page = browser.get("/wallet/").text
    assert f'<a href="/readings/{reading}/">Text reading with {reader.display_name}</a>' in page
    assert "3 minutes" in page
    assert "−$5.97" in page
    assert "Unused time given back" in page


@pytest.mark.parametrize("cursor", ["x", "MS4yLjM", "é", "9" * 300, "OTk5OTk5OTk5OTk5OTk5OTk5OS4xLjE"])
def test_cursors_that_are_none(sandbox: Sandbox, browser: Browser, cursor: str) -> None:
    wanted = 200 if cursor == "MS4yLjM" else 422
    assert browser.api("GET", f"/api/wallet/entries/?cursor={cursor}").status_code == wanted
    assert browser.get(f"/wallet/?cursor={cursor}").status_code == wanted


def test_pages_of_history_lose_nothing_and_tell_nothing_twice(sandbox: Sandbox, app: Flask) -> None:
    person, reader = factories.person(wallet="500.00"), factories.reader("1.99")
    for number in range(25):
        at = START + timedelta(hours=number)
        paid_reading(person.id, reader.person_id, minutes=2, at=at, credit_cents=10 if number % 3 == 0 else 0)
    browser = signed_in(app, sandbox, person.id)
    amounts: list[str] = []
    pages, address = 0, "/wallet/"
    while address:
        text = browser.get(address).text
        history = text[text.index("history-title") :]
        amounts += re.findall(r'data-label="Amount"[^>]*>\s*<span class="money[^"]*">([^<]+)', history)
        older = re.search(r'href="(/wallet/\?cursor=[^"]+)"', history)
        address = older[1] if older else ""
        pages += 1
    assert pages == 2
    assert sorted(amounts) == sorted(["−$3.98"] * 25 + ["$0.10"] * 9 + ["$500.00"])


def test_the_wallet_takes_at_most_eight_statements(
    sandbox: Sandbox, app: Flask, statements: list[str]
) -> None:
    person, reader = factories.person(wallet="500.00"), factories.reader("1.99")
    for number in range(25):
        paid_reading(
            person.id, reader.person_id, minutes=3, at=START + timedelta(hours=number), credit_cents=10
        )
    for _ in range(6):
        events.begun(person.id, "5.00")
    browser = signed_in(app, sandbox, person.id)
    browser.get("/wallet/")
    for address, most in (
        ("/wallet/", 8),
        ("/api/wallet/entries/?limit=20", 4),
        ("/api/wallet/", 2),
        ("/wallet/top-ups/", 2),
    ):
        statements.clear()
        answer = browser.get(address)
        assert answer.status_code == 200
        assert len(statements) <= most, "\n".join(statements)
    rows = browser.get("/wallet/").text.count('data-label="Amount"')
    assert rows == 20


def test_a_readers_earnings(sandbox: Sandbox) -> None:
    from soulseer.services import wallets

    person, reader = factories.person(wallet="50.00"), factories.reader("2.00")
    assert wallets.earnings(person.id) == wallets.Earnings(Decimal("0.00"), Decimal("0.00"))
    paid_reading(person.id, reader.person_id, minutes=3, at=START, rate_cents=200)
    assert wallets.earnings(reader.person_id) == wallets.Earnings(Decimal("4.20"), Decimal("0.00"))
