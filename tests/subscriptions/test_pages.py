"""The membership page and its API over real HTTP: what is shown, clicks at once, other people's things."""

import re

import pytest
import requests

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.services import plans
from tests import factories
from tests.money_in.browser import Browser, signed_in
from tests.money_in.conftest import in_threads


def token(browser: Browser) -> str:
    return re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/membership/").text)[1]


def press(browser: Browser, path: str, **fields: str) -> requests.Response:
    return browser.post(f"/membership/{path}", {"csrf_token": token(browser), **fields})


@pytest.fixture
def reader(member, app):
    """A reader with a browser."""
    made = member()
    made.browser = signed_in(app, made.sandbox, made.person_id)
    return made


def test_the_page_shows_plans_by_role_and_the_year_without_script(reader) -> None:
    page = reader.browser.get("/membership/").text
    for words in (
        "Free",
        "Starter",
        "Professional",
        "Enterprise",
        "Premium",
        "$29.00",
        "$9.99",
        "No invoices yet",
    ):
        assert words in page
    assert "$499.00" in page
    yearly = reader.browser.get("/membership/?interval=year").text
    assert "$4,990.00" in yearly
    assert "$58.00 less than twelve months" in yearly
    assert "$4,990.00" not in page


def test_subscribe_wait_and_be_a_member(reader) -> None:
    answer = press(reader.browser, "subscribe/", plan="enterprise", interval="month")
    assert answer.status_code == 303
    checkout = answer.headers["Location"]
    assert "/c/pay/cs_" in checkout
    assert "$499.00" in requests.get(checkout, timeout=5).text
    waiting = reader.browser.get("/membership/?from=checkout").text
    assert "Waiting for confirmation" in waiting
    polled = re.search(r'hx-get="(/membership/state/[^"]+)"', waiting)[1].replace("&amp;", "&")
    assert reader.browser.get(polled).headers.get("HX-Refresh") is None
    paid = requests.post(
        checkout, data={"card_number": "4242 4242 4242 4242"}, allow_redirects=False, timeout=10
    )
    assert paid.headers["Location"].endswith("/membership/?from=checkout")
    reader.settle()
    assert reader.browser.get(polled).headers["HX-Refresh"] == "true"
    page = reader.browser.get("/membership/").text
    for words in ("Enterprise member", "Active", "Renews", "Cancel the plan", "/i/in_", "Paid"):
        assert words in page


def test_a_declined_card_begins_nothing(reader) -> None:
    checkout = press(reader.browser, "subscribe/", plan="starter", interval="month").headers["Location"]
    answer = requests.post(
        checkout, data={"card_number": "4000 0000 0000 0002"}, allow_redirects=False, timeout=10
    )
    assert answer.status_code == 402
    reader.settle()
    assert (reader.row().state, reader.plan()) == ("open", "free")


def test_two_clicks_at_once_lead_to_one_checkout(reader, app) -> None:
    fields = {"csrf_token": token(reader.browser), "plan": "starter", "interval": "month"}
    cookie = reader.browser.session.cookies.get("soulseer")

    def click(_number: int) -> tuple[int, str]:
        answer = Browser(reader.browser.address, cookie).post("/membership/subscribe/", fields)
        return answer.status_code, answer.headers.get("Location", "")

    found = in_threads(app, 4, click)
    led = {location for status, location in found if status == 303}
    # Stripe may tell one of them that the other is under way: then the page says so, and the next click gets there.
    assert all(status in (303, 503, 502) for status, _ in found), found
    assert len(led) == 1
    assert len(reader.sandbox.checkouts()) == 1


def test_another_plan_closes_the_first_checkout(reader) -> None:
    first = press(reader.browser, "subscribe/", plan="starter", interval="month").headers["Location"]
    second = press(reader.browser, "subscribe/", plan="starter", interval="year").headers["Location"]
    assert first != second
    assert [one["status"] for one in reader.sandbox.checkouts()] == ["open", "expired"]
    assert requests.post(first, data={"card_number": "4242424242424242"}, timeout=5).status_code == 409


def test_whoever_has_a_plan_cannot_have_a_second(reader) -> None:
    reader.subscribe("enterprise")
    answer = press(reader.browser, "subscribe/", plan="starter", interval="month")
    assert answer.status_code == 409
    assert "change it instead" in answer.text
    assert len(reader.sandbox.checkouts()) == 1


def test_a_checkout_that_was_paid_unnoticed_is_found_by_the_next_click(reader) -> None:
    row = reader.choose("enterprise")
    reader.sandbox.faults(drop_webhooks=100)
    reader.sandbox.pay(row.stripe_checkout_session_id).raise_for_status()
    assert press(reader.browser, "subscribe/", plan="starter", interval="month").status_code == 409
    assert (reader.row().state, reader.plan(), reader.booked()) == ("active", "enterprise", ["499.00"])


def test_never_mind_closes_the_checkout(reader) -> None:
    press(reader.browser, "subscribe/", plan="starter", interval="month")
    assert press(reader.browser, f"{reader.row().id}/withdraw/").status_code == 303
    assert (reader.row().state, reader.sandbox.checkouts()[0]["status"]) == ("expired", "expired")
    assert "Starter" in reader.browser.get("/membership/").text


def test_preview_then_change_then_cancel_then_keep(reader) -> None:
    row = reader.subscribe("starter")
    reader.switch("renew")
    page = reader.browser.get(f"/membership/{row.id}/change/?plan=professional&interval=month").text
    assert "Starter to Professional" in page
    assert "To pay now" in page
    reckoned = re.search(r'name="reckoned_at" value="(\d+)"', page)[1]
    due = re.search(r"Pay \$([0-9.]+) and change", page)[1]
    fields = {"plan": "professional", "interval": "month", "reckoned_at": reckoned}
    assert press(reader.browser, f"{row.id}/change/", **fields).status_code == 303
    assert reader.booked() == ["29.00", due]
    assert press(reader.browser, f"{row.id}/cancel/").status_code == 303
    assert "Keep the plan" in reader.browser.get("/membership/").text
    assert press(reader.browser, f"{row.id}/undo/").status_code == 303
    assert not reader.row().cancel_at_period_end


def test_what_failed_is_on_the_page_with_a_way_to_pay(reader) -> None:
    reader.subscribe("enterprise")
    reader.at_stripe("fail")
    reader.switch("renew")
    page = reader.browser.get("/membership/").text
    assert "The last payment failed" in page
    hosted = re.search(r'href="([^"]+/i/in_[^"]+)"[^>]*><span>Pay the open invoice', page)[1]
    assert requests.post(hosted, timeout=5).status_code == 200
    reader.settle()
    assert (reader.row().state, reader.booked()) == ("active", ["499.00", "499.00"])


def test_the_portal_cancels_as_well(reader) -> None:
    row = reader.subscribe("enterprise")
    address = press(reader.browser, "portal/").headers["Location"]
    assert "Enterprise" in requests.get(address, timeout=5).text
    requests.post(
        f"{address}/{row.stripe_subscription_id}", data={"deed": "cancel"}, timeout=5
    ).raise_for_status()
    reader.settle()
    assert reader.row().cancel_at_period_end


def test_nobody_else_reaches_it(reader, app) -> None:
    row = reader.subscribe("enterprise")
    stranger = signed_in(app, reader.sandbox, factories.person("client", "reader").id)
    for path in ("cancel/", "undo/", "change/", "withdraw/"):
        assert press(stranger, f"{row.id}/{path}", plan="starter", interval="month").status_code == 404, path
    assert stranger.get(f"/membership/{row.id}/change/?plan=starter&interval=month").status_code == 404
    assert press(stranger, "portal/").status_code == 404
    assert "/i/in_" not in stranger.get("/membership/").text
    assert (reader.row().state, reader.row().cancel_at_period_end) == ("active", False)


@pytest.mark.parametrize(
    ("plan", "interval"),
    [("free", "month"), ("nothing", "month"), ("starter", "week"), ("", ""), ("starter'--", "year")],
)
def test_what_is_not_offered_is_refused(reader, plan: str, interval: str) -> None:
    assert press(reader.browser, "subscribe/", plan=plan, interval=interval).status_code == 422
    assert reader.sandbox.checkouts() == []


def test_a_client_is_not_sold_a_readers_plan(member, app) -> None:
    client = member("client")
    browser = signed_in(app, client.sandbox, client.person_id)
    assert "Professional" not in browser.get("/membership/").text
    assert press(browser, "subscribe/", plan="professional", interval="month").status_code == 422


def test_stripe_away_is_told_and_the_next_click_goes_on(reader) -> None:
    reader.sandbox.faults(fail_api={"status": 500, "count": 9})
    answer = press(reader.browser, "subscribe/", plan="starter", interval="month")
    assert answer.status_code == 502
    assert "you will not pay twice" in answer.text
    reader.sandbox.faults(fail_api={"status": 500, "count": 0})
    assert press(reader.browser, "subscribe/", plan="starter", interval="month").status_code == 303
    assert len(reader.sandbox.checkouts()) == 1


def test_the_page_asks_the_database_little(reader, statements) -> None:
    reader.subscribe("enterprise")
    reader.browser.get("/membership/")
    statements.clear()
    assert reader.browser.get("/membership/").status_code == 200
    assert len(statements) <= 8, statements


def test_the_api_tells_the_callers_plans(reader) -> None:
    reader.subscribe("starter")
    answer = reader.browser.get("/api/membership/").json()
    (own,) = answer["subscriptions"]
    assert (own["plan"], own["state"], own["entitled"], own["price"]) == (
        "starter",
        "trialing",
        True,
        "29.00",
    )
    assert own["trial_end"].endswith("Z")
    assert {plan["code"] for plan in answer["plans"]} == {
        "free",
        "starter",
        "professional",
        "enterprise",
        "premium",
    }


def test_invoices_are_paged(reader) -> None:
    reader.subscribe("enterprise")
    for _ in range(11):
        reader.at_stripe("renew")
    reader.settle()
    first = reader.browser.get("/membership/").text
    assert first.count("/i/in_") == 10
    older = re.search(r'href="(/membership/\?before=\d+)', first)[1]
    assert reader.browser.get(older).text.count("/i/in_") == 2
    assert reader.browser.get("/membership/?before=1").status_code == 200
    assert reader.browser.get("/membership/?before=x").text.count("/i/in_") == 10


def test_without_plans_the_page_says_so(app, sandbox) -> None:
    browser = signed_in(app, sandbox, factories.person("client").id)
    assert "No plans yet" in browser.get("/membership/").text
    staff = signed_in(app, sandbox, factories.person("support").id)
    assert "No plans for you" in staff.get("/membership/").text
    with transaction():
        plans.seed(clock.now())
    assert "Premium" in browser.get("/membership/").text
