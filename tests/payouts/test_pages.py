"""/payouts/ over real HTTP: setting up at Stripe, asking for a payout, statements and years, as page and as CSV."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests
from flask import Flask

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.gateways import stripe_connect
from soulseer.jobs import release_earnings
from soulseer.jobs.context import JobContext
from soulseer.models.payouts import Payout
from soulseer.models.people import Person
from soulseer.services import payout_accounts, payouts
from soulseer.services import statements as statements_of
from tests import factories
from tests.money_in.browser import Browser, signed_in
from tests.money_in.conftest import Sandbox
from tests.payouts.payday import SOON, PaidReader, sweep
from tests.payouts.world import LATER, Reader, assert_clean, reading


class Pages:
    """The reader's browser on her pages of payouts."""

    def __init__(self, app: Flask, sandbox: Sandbox, person_id: int) -> None:
        self.browser: Browser = signed_in(app, sandbox, person_id)

    def get(self, path: str = "/payouts/") -> requests.Response:
        return self.browser.get(path)

    def press(self, action: str) -> requests.Response:
        """Send the form of /payouts/ that leads to ``action``, with its hidden fields."""
        page = self.get().text
        form = page[page.index(f'action="{action}"') :]
        form = form[: form.index("</form>")]
        fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', form))
        return self.browser.post(action, fields)

    def table(self, path: str) -> list[dict[str, str]]:
        """A CSV by its column names."""
        answer = self.get(path)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "attachment" in answer.headers["Content-Disposition"]
        return list(csv.DictReader(io.StringIO(answer.text)))


def test_from_nothing_to_paid(app: Flask, sandbox: Sandbox) -> None:
    reader = Reader()
    reader.earn("40.00")
    reader.release()
    pages = Pages(app, sandbox, reader.id)
    first = pages.get().text
    assert "Set up payouts first" in first
    assert "No payout yet" in first
    assert "Pay out now" not in first

    to_stripe = pages.press("/payouts/set-up/")
    assert to_stripe.status_code == 303
    link = to_stripe.headers["Location"]
    assert link.startswith(f"{sandbox.stripe}/c/connect/")
    assert "https://connect.stripe.com" in to_stripe.headers["Content-Security-Policy"]
    unfinished = pages.get().text
    assert "A bank account or debit card to pay to" in unfinished
    assert "You have not finished setting up payouts" in unfinished

    back = requests.post(f"{link}/finish", timeout=5, allow_redirects=False).headers["Location"]
    assert back == f"{sandbox.product}/payouts/returned/"
    assert pages.get("/payouts/returned/").headers["Location"] == "/payouts/"
    ready = pages.get().text
    assert "Stripe can pay you" in ready
    assert "Pay out now" in ready

    asked = pages.press("/payouts/request/")
    assert asked.status_code == 303
    statement = asked.headers["Location"]
    assert "On its way" in pages.get(statement).text
    assert sweep(datetime.now(UTC) + timedelta(minutes=5)) == {"paid": 1}
    paid = pages.get(statement).text
    assert "$40.00" in paid
    assert "Paid" in paid
    assert_clean()


def test_a_used_up_link_leads_to_a_fresh_one(app: Flask, sandbox: Sandbox) -> None:
    reader = Reader()
    pages = Pages(app, sandbox, reader.id)
    first = pages.press("/payouts/set-up/").headers["Location"]
    assert requests.post(f"{first}/leave", timeout=5, allow_redirects=False).status_code == 303
    again = requests.get(first, timeout=5, allow_redirects=False).headers["Location"]
    assert again == f"{sandbox.product}/payouts/continue/"
    fresh = pages.get("/payouts/continue/").headers["Location"]
    assert fresh.startswith(f"{sandbox.stripe}/c/connect/")
    assert fresh != first


def test_the_account_is_opened_once_however_often_one_clicks(app: Flask, sandbox: Sandbox) -> None:
    reader = Reader()
    pages = Pages(app, sandbox, reader.id)
    sandbox.faults(timeout_after_effect=3)
    lost = pages.press("/payouts/set-up/")
    assert lost.status_code == 502
    assert "That did not work" in lost.text
    assert pages.press("/payouts/set-up/").status_code == 303
    answer = requests.get(f"{sandbox.stripe}/v1/accounts", auth=("sk_test_0123456789", ""), timeout=5)
    assert len(answer.json()["data"]) == 1


def test_the_same_form_twice_begins_one_payout(app: Flask, sandbox: Sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    pages = Pages(app, sandbox, reader.id)
    page = pages.get().text
    key = re.search(r'name="request_key" value="([^"]+)"', page)[1]  # type: ignore[index]
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]  # type: ignore[index]
    fields = {"csrf_token": token, "request_key": key}
    first, second = (pages.browser.post("/payouts/request/", fields) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    other = pages.browser.post("/payouts/request/", {**fields, "request_key": "another-key"})
    assert other.status_code == 409
    assert "one goes after the other" in other.text
    assert len(reader.payouts) == 1


def test_pauses_and_requirements_are_read_in_words(app: Flask, sandbox: Sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    pages = Pages(app, sandbox, reader.id)
    reader.post(f"accounts/{reader.account}/require", past_due=["individual.id_number", "strange.new_thing"])
    reader.refresh()
    page = pages.get().text
    assert "Stripe needs details from you before it pays you." in page
    assert "Your Social Security or tax number" in page
    assert "Strange new thing" in page
    with transaction():
        payout_accounts.pause(reader.id, "We are looking into <b>a</b> complaint.", LATER)
    page = pages.get().text
    assert "Your payouts are paused" in page
    assert "We are looking into &lt;b&gt;a&lt;/b&gt; complaint." in page
    assert "Pay out now" not in page


@pytest.mark.parametrize(
    "path", ["/payouts/", "/payouts/years/", "/payouts/years.csv", "/payouts/continue/", "/payouts/returned/"]
)
def test_clients_and_strangers_see_nothing(app: Flask, sandbox: Sandbox, path: str) -> None:
    assert Pages(app, sandbox, factories.person().id).get(path).status_code == 403
    assert requests.get(sandbox.product + path, timeout=5, allow_redirects=False).status_code in (
        302,
        303,
        401,
    )


def test_somebody_elses_payout_is_not_there(app: Flask, sandbox: Sandbox) -> None:
    payout_id = PaidReader(sandbox, "40.00").begin()
    other = Pages(app, sandbox, Reader().id)
    for path in (f"/payouts/{payout_id}/", f"/payouts/{payout_id}/statement.csv"):
        assert other.get(path).status_code == 404


def test_a_statement_has_a_line_for_each_thing_and_sums_to_the_payout(app: Flask, sandbox: Sandbox) -> None:
    """Owed from before, refunded in part, a reading, a refusal, a refund of what was available: all explained."""
    reader = PaidReader(sandbox)
    reader.take_back("3.00")
    gift = reader.earn("20.00")
    reader.take_back("2.50", transaction_id=gift)
    reader.earn("30.00")
    reader.release()
    reader.take_back("4.00")
    reader.post("transfers", outcome="refuse")
    reader.begin()
    assert sweep(LATER) == {"failed": 1}
    reader.post("transfers", outcome="succeed")
    reader.earn("5.00")
    reader.release(LATER + timedelta(days=1))
    payout_id = reader.begin(LATER + timedelta(days=1))
    payout = db.session.get_one(Payout, payout_id)
    lines = statements_of.lines(payout)
    assert [
        (line.words, str(line.amount), line.refunded is not None and str(line.refunded)) for line in lines
    ] == [
        ("Gift", "17.50", "2.50"),
        ("Kept for what you owed", "-3.00", False),
        ("Gift", "30.00", "0.00"),
        ("Booking refunded", "-4.00", False),
        ("Gift", "5.00", "0.00"),
    ]
    assert sum(line.amount for line in lines) == payout.amount == Decimal("45.50")
    pages = Pages(app, sandbox, reader.id)
    rows = pages.table(f"/payouts/{payout_id}/statement.csv")
    assert [row["amount"] for row in rows] == ["17.50", "-3.00", "30.00", "-4.00", "5.00"]
    assert sum(Decimal(row["amount"]) for row in rows) == payout.amount
    assert "$45.50" in pages.get(f"/payouts/{payout_id}/").text
    failed = pages.get(f"/payouts/{reader.payouts[0].id}/").text
    assert "Not sent" in failed
    assert_clean()


def test_a_reading_is_named_with_its_client(app: Flask, sandbox: Sandbox) -> None:
    room = reading(minutes=4)
    with transaction():
        db.session.get_one(Person, room.client.id).handle = "seeker"
        account = payout_accounts.begin(room.reader.person_id, LATER)
    told = payout_accounts.ask_stripe(account, None)
    requests.post(f"{sandbox.stripe}/sandbox/accounts/{told.id}/onboard", timeout=5).raise_for_status()
    told = stripe_connect.retrieve_account(gateways.current().stripe, told.id)
    with transaction():
        payout_accounts.record(room.reader.person_id, told, LATER)
    release_earnings.run(JobContext(now=LATER))
    with transaction():
        payout_id = payouts.begin(room.reader.person_id, LATER, origin="weekly").id
    pages = Pages(app, sandbox, room.reader.person_id)
    (row,) = pages.table(f"/payouts/{payout_id}/statement.csv")
    assert (row["what"], row["client"], row["minutes"]) == ("Text reading", "seeker", "4")
    assert (row["earned"], row["refunded"], row["amount"]) == ("28.00", "0.00", "28.00")
    assert row["reading"] == str(room.id)


def test_years_go_by_the_readers_own_midnight(app: Flask, sandbox: Sandbox) -> None:
    reader = PaidReader(sandbox)
    with transaction():
        db.session.get_one(Person, reader.id).time_zone = "America/Los_Angeles"
    # New Year at Greenwich is the afternoon before on the west coast.
    midnight = datetime(2027, 1, 1, 3, 0, tzinfo=UTC)
    reader.earn("30.00", midnight - timedelta(days=20))
    reader.release(midnight)
    reader.begin(midnight)
    assert sweep(midnight)["paid"] == 1
    reader.earn("50.00", midnight + timedelta(hours=6))
    reader.release(midnight + timedelta(days=10))
    reader.begin(midnight + timedelta(days=10))
    assert sweep(midnight + timedelta(days=10))["paid"] == 1
    reader.post(f"transfers/{reader.transfers[0]['id']}/reverse", amount=1000)
    told = stripe_connect.retrieve_transfer(gateways.current().stripe, reader.transfers[0]["id"])
    with transaction():
        payouts.record(reader.payouts[0].id, told, midnight + timedelta(days=12))
    pages = Pages(app, sandbox, reader.id)
    rows = pages.table("/payouts/years.csv")
    assert [
        (r["year"], r["payouts"], r["paid"], r["came_back"], r["net_paid"], r["earned"]) for r in rows
    ] == [
        ("2027", "1", "50.00", "10.00", "40.00", "50.00"),
        ("2026", "1", "30.00", "0.00", "30.00", "30.00"),
    ]
    page = pages.get("/payouts/years/").text
    assert "America/Los_Angeles" in page
    assert "$40.00" in page


def test_pages_take_few_statements(app: Flask, sandbox: Sandbox, statements: list[str]) -> None:
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    sweep(SOON)
    pages = Pages(app, sandbox, reader.id)
    for path in ("/payouts/", f"/payouts/{payout_id}/", "/payouts/years/"):
        pages.get(path)
        statements.clear()
        assert pages.get(path).status_code == 200
        assert len(statements) <= 8, (path, statements)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("\t=1", "'\t=1"),
        (" =1", "' =1"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_cells(text: str, cell: str) -> None:
    assert statements_of.safe(text) == cell
