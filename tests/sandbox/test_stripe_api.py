"""The API through the real SDK."""

import pytest
import requests
import stripe

from soulseer.sandbox.stripe.payments import processing_fee
from tests.sandbox.stripe_bench import Bench


def test_create_pay_retrieve(bench: Bench) -> None:
    session = bench.create(key="top-up:7")
    assert (session.object, session.status, session.payment_status) == ("checkout.session", "open", "unpaid")
    assert (session.amount_total, session.currency, session.livemode) == (2_500, "usd", False)
    assert session.url == f"{bench.url}/c/pay/{session.id}"
    assert session.payment_intent is None
    answer = bench.pay(session.id)
    assert answer.status_code == 200
    assert answer.json()["return_url"] == f"http://127.0.0.1:8000/wallet/?checkout={session.id}"
    paid = bench.client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge.balance_transaction", "line_items"]}
    )
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.client_reference_id == "person-1"
    assert paid.metadata is not None
    assert paid.metadata.to_dict() == {"top_up_id": "7", "person_id": "1"}
    intent = paid.payment_intent
    assert (intent.status, intent.amount_received, intent.currency) == ("succeeded", 2_500, "usd")
    line = intent.latest_charge.balance_transaction
    assert (line.amount, line.fee, line.net) == (2_500, 103, 2_397)
    assert paid.line_items.data[0].description == "Wallet top-up"
    assert bench.client.v1.payment_intents.retrieve(intent.id).latest_charge == intent.latest_charge.id
    assert bench.client.v1.balance_transactions.retrieve(line.id).source == intent.latest_charge.id
    assert [item.id for item in bench.client.v1.balance_transactions.list().data] == [line.id]
    assert bench.client.v1.charges.list({"payment_intent": intent.id}).data[0].id == intent.latest_charge.id
    assert bench.client.v1.balance.retrieve().pending[0].amount == 2_397


@pytest.mark.parametrize(
    ("amount", "fee"), [(50, 31), (1_000, 59), (2_500, 103), (10_000, 320), (99_999, 2_930)]
)
def test_the_processing_fee(amount: int, fee: int) -> None:
    assert processing_fee(amount) == fee


def test_customers(bench: Bench) -> None:
    customers = bench.client.v1.customers
    made = customers.create({"email": "client@demo.test", "metadata": {"person_id": "1", "1": "numeric"}})
    assert made.metadata.to_dict() == {"person_id": "1", "1": "numeric"}
    changed = customers.update(made.id, {"name": "Clara", "metadata": {"1": ""}})
    assert (changed.name, changed.email, changed.metadata.to_dict()) == (
        "Clara",
        "client@demo.test",
        {"person_id": "1"},
    )
    assert customers.retrieve(made.id).name == "Clara"
    assert [found.id for found in customers.list({"email": "client@demo.test"}).data] == [made.id]
    session = bench.create(customer=made.id)
    bench.pay(session.id)
    paid = bench.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["customer", "payment_intent"]})
    assert paid.customer.id == paid.payment_intent.customer == made.id
    assert paid.customer_details.email == "client@demo.test"


def test_expiring(bench: Bench) -> None:
    session = bench.create()
    expired = bench.client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert bench.pay(session.id).status_code == 409
    with pytest.raises(stripe.InvalidRequestError, match="status of expired"):
        bench.client.v1.checkout.sessions.expire(session.id)


def test_lists_page_newest_first(bench: Bench) -> None:
    made = [bench.client.v1.customers.create({"name": str(number)}).id for number in range(5)]
    customers = bench.client.v1.customers
    first = customers.list({"limit": 2})
    assert ([item.id for item in first.data], first.has_more) == (made[:2:-1], True)
    last = customers.list({"limit": 3, "starting_after": first.data[-1].id})
    assert ([item.id for item in last.data], last.has_more) == (made[2::-1], False)
    back = customers.list({"limit": 2, "ending_before": made[0]})
    assert ([item.id for item in back.data], back.has_more) == ([made[2], made[1]], True)
    assert [item.id for item in customers.list({"limit": 2}).auto_paging_iter()] == made[::-1]
    events = bench.client.v1.events.list(
        {"type": "customer.created", "created": {"gte": first.data[0].created - 60}}
    )
    assert [event.data.object["id"] for event in events.data] == made[::-1]
    assert bench.client.v1.events.list({"created": {"gt": first.data[0].created + 60}}).data == []
    assert bench.client.v1.events.list({"types": ["charge.succeeded"]}).data == []
    assert bench.client.v1.events.retrieve(events.data[0].id).type == "customer.created"


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"mode": "setup"}, "mode", None),
        ({"success_url": "ftp://x"}, "success_url", "url_invalid"),
        ({"success_url": ""}, "success_url", "parameter_missing"),
        ({"line_items": []}, "line_items", "parameter_missing"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price_data]", None),
        ({"amount": 49}, None, "amount_too_small"),
        ({"amount": "1.5"}, "line_items[0][price_data][unit_amount]", "parameter_invalid_integer"),
        ({"amount": "２５"}, "line_items[0][price_data][unit_amount]", "parameter_invalid_integer"),
        ({"amount": 10**9}, "line_items[0][price_data][unit_amount]", "parameter_invalid_integer"),
        ({"customer": "cus_missing"}, "customer", "resource_missing"),
        ({"metadata": {"k" * 41: "v"}}, "metadata", None),
        ({"metadata": "text"}, "metadata", None),
        ({"mystery": "x"}, "mystery", "parameter_unknown"),
        ({"expires_at": 1}, "expires_at", None),
        ({"expires_at": 2**40}, "expires_at", None),
    ],
)
def test_parameters_at_fault_are_named(
    shared_bench: Bench, changes: dict, param: str | None, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shared_bench.create(**changes)
    assert (caught.value.http_status, caught.value.param, caught.value.code) == (400, param, code)
    assert caught.value.request_id is not None
    assert shared_bench.client.v1.checkout.sessions.list().data == []


def test_errors_have_stripes_shape(bench: Bench) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        bench.client.v1.checkout.sessions.retrieve("cs_test_missing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    for key in ("sk_test_other", "sk_live_x", "nonsense"):
        stranger = stripe.StripeClient(key, base_addresses={"api": bench.url}, max_network_retries=0)
        with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
            stranger.v1.customers.list()
    bare = requests.get(f"{bench.url}/v1/customers", timeout=5)
    assert (bare.status_code, bare.json()["error"]["type"]) == (401, "invalid_request_error")
    unknown = bench.post("/nothing")
    assert unknown.status_code == 404
    assert "Unrecognized request URL (POST: /v1/nothing)" in unknown.json()["error"]["message"]
    assert unknown.headers["Request-Id"].startswith("req_")
    assert bench.post("/customers", {"a[b": "x"}).status_code == 400
    assert bench.post("/customers", {"name": "x" * 2_000_000}).status_code == 413
    good = bench.post("/customers", {"name": "x"}, Stripe_Version="2025-01-01")
    assert (good.status_code, good.headers["Stripe-Version"]) == (200, "2025-01-01")
    assert requests.get(f"{bench.url}/v1/customers", auth=(bench.client._requestor.api_key, ""), timeout=5).ok
