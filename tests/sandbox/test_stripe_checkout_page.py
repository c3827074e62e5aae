"""The hosted page, as a browser's form posts use it."""

import threading

import pytest
import requests

from soulseer.sandbox.stripe.cards import read_card
from tests.sandbox.stripe_bench import Bench, Receiver, wait_until


def submit(
    bench: Bench, session_id: str, card: str = "4242 4242 4242 4242", email: str = ""
) -> requests.Response:
    form = {"card_number": card, "email": email}
    return requests.post(f"{bench.url}/c/pay/{session_id}", data=form, allow_redirects=False, timeout=5)


def test_pay_on_the_page_and_come_back(bench: Bench) -> None:
    session = bench.create(customer_creation="always")
    page = requests.get(session.url, timeout=5)
    assert "$25.00" in page.text
    assert "Wallet top-up" in page.text
    assert 'value="4242 4242 4242 4242"' in page.text
    assert 'href="http://127.0.0.1:8000/wallet/"' in page.text
    answer = submit(bench, session.id, email="Client@demo.test")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"http://127.0.0.1:8000/wallet/?checkout={session.id}",
    )
    paid = bench.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["customer"]})
    assert paid.customer.email == paid.customer_details.email == "client@demo.test"


def test_a_second_payment_is_refused(bench: Bench) -> None:
    session = bench.create()
    assert submit(bench, session.id).status_code == 303
    again = submit(bench, session.id)
    assert again.status_code == 409
    assert "already paid" in again.text
    assert f"checkout={session.id}" in again.text
    assert "already paid" in requests.get(f"{bench.url}/c/pay/{session.id}", timeout=5).text
    assert len(bench.client.v1.charges.list().data) == 1


def test_twenty_clicks_at_once_pay_once(bench: Bench, receiver: Receiver) -> None:
    session = bench.create()
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(submit(bench, session.id).status_code))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303] + [409] * 19
    assert len(bench.client.v1.balance_transactions.list().data) == 1
    wait_until(lambda: receiver.types().count("checkout.session.completed") == 1)


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        ("4000 0000 0000 0002", "generic_decline", "Your card was declined."),
        ("4000-0000-0000-9995", "insufficient_funds", "Your card has insufficient funds."),
        ("4111 1111 1111 1111", "test_mode_live_card", "only test cards"),
    ],
)
def test_declined_cards_leave_the_session_open(
    bench: Bench, receiver: Receiver, number: str, code: str, words: str
) -> None:
    session = bench.create()
    answer = submit(bench, session.id, number)
    assert answer.status_code == 402
    assert words in answer.text
    wait_until(lambda: "payment_intent.payment_failed" in receiver.types())
    declined = bench.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (declined.status, declined.payment_status) == ("open", "unpaid")
    assert declined.payment_intent.last_payment_error.decline_code == code
    assert bench.client.v1.balance_transactions.list().data == []
    assert submit(bench, session.id).status_code == 303
    paid = bench.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert paid.payment_intent.id == declined.payment_intent.id
    assert (paid.payment_intent.status, paid.payment_intent.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize("number", ["", "4242", "4242 4242 4242 4241", "abcd", "４" * 16])
def test_what_is_no_card_number_is_asked_again(bench: Bench, number: str) -> None:
    session = bench.create()
    assert submit(bench, session.id, number).status_code == 422
    assert bench.client.v1.payment_intents.list().data == []
    assert read_card(number) is None


def test_unknown_and_expired_pages(bench: Bench) -> None:
    assert submit(bench, "cs_test_missing").status_code == 404
    assert requests.get(f"{bench.url}/c/pay/cs_test_missing", timeout=5).status_code == 404
    session = bench.create()
    bench.client.v1.checkout.sessions.expire(session.id)
    refused = submit(bench, session.id)
    assert refused.status_code == 409
    assert "has expired" in refused.text
    assert "http://127.0.0.1:8000/wallet/" in refused.text


def test_names_are_escaped_and_pages_allow_no_script(bench: Bench) -> None:
    item = {"currency": "usd", "unit_amount": 500, "product_data": {"name": "<script>alert(1)</script>"}}
    page = requests.get(bench.create(line_items=[{"price_data": item, "quantity": 2}]).url, timeout=5)
    assert "<script>" not in page.text
    assert "$10.00" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for path in ("/", "/sandbox/", "/sandbox/events", "/assets/sandbox.css"):
        assert requests.get(f"{bench.url}{path}", timeout=5).status_code == 200
