"""Stripe's rules for idempotency keys, and faults in and before the answer."""

import threading

import pytest
import requests
import stripe

from tests.sandbox.stripe_bench import Bench, Receiver, running


def test_the_same_key_and_parameters_repeat_the_first_answer(bench: Bench) -> None:
    first = bench.post("/customers", {"name": "a", "email": "e@demo.test"}, Idempotency_Key="k")
    again = bench.post("/customers", {"email": "e@demo.test", "name": "a"}, Idempotency_Key="k")
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len(bench.client.v1.customers.list().data) == 1
    assert len(bench.client.v1.events.list().data) == 1


def test_another_request_under_the_same_key_is_refused(bench: Bench) -> None:
    first = bench.create(key="top-up:1")
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        bench.create(key="top-up:1", amount=9_999)
    elsewhere = bench.post("/customers", {}, Idempotency_Key="top-up:1")
    assert (elsewhere.status_code, elsewhere.json()["error"]["type"]) == (400, "idempotency_error")
    assert bench.create(key="top-up:1").id == first.id
    assert bench.post("/customers", {}, Idempotency_Key="k" * 256).status_code == 400


def test_a_refused_parameter_does_not_use_the_key_up(bench: Bench) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        bench.create(key="k", amount=1)
    assert bench.create(key="k").amount_total == 2_500


def test_a_refusal_after_the_endpoint_began_is_repeated(bench: Bench) -> None:
    session = bench.create()
    bench.pay(session.id)
    path = f"/checkout/sessions/{session.id}/expire"
    first, again = (bench.post(path, {}, Idempotency_Key="k") for _ in range(2))
    assert first.status_code == again.status_code == 400
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.content == again.content


def test_two_at_once_under_one_key(bench: Bench) -> None:
    bench.faults(delay_api={"seconds": 0.4, "count": 1})
    statuses: list[int] = []

    def create() -> None:
        statuses.append(bench.post("/customers", {"name": "a"}, Idempotency_Key="k").status_code)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409]
    assert len(bench.client.v1.customers.list().data) == 1


def test_a_failing_api_does_nothing_and_the_retry_succeeds(bench: Bench) -> None:
    bench.faults(fail_api={"status": 500, "count": 1})
    with pytest.raises(stripe.APIError) as caught:
        bench.create(key="k")
    assert caught.value.http_status == 500
    assert bench.client.v1.checkout.sessions.list().data == []
    assert bench.create(key="k").status == "open"


def test_an_answer_lost_after_the_effect(bench: Bench) -> None:
    bench.faults(timeout_after_effect=1)
    with pytest.raises(stripe.APIConnectionError):
        bench.create(key="k")
    sessions = bench.client.v1.checkout.sessions.list().data
    assert len(sessions) == 1
    assert bench.create(key="k").id == sessions[0].id
    # The SDK's own retry, which sends the same key, meets the kept answer too.
    bench.faults(timeout_after_effect=1)
    patient = stripe.StripeClient(
        "sk_test_0123456789abcdef", base_addresses={"api": bench.url}, max_network_retries=2
    )
    patient.v1.customers.create({"name": "once"})
    assert len(bench.client.v1.customers.list().data) == 1


def test_keys_hold_over_a_restart(tmp_path, receiver: Receiver) -> None:
    with running(tmp_path, receiver) as bench:
        first = bench.create(key="k")
    with running(tmp_path, receiver) as bench:
        assert bench.create(key="k").id == first.id
        with pytest.raises(stripe.IdempotencyError):
            bench.create(key="k", amount=777)
        assert len(bench.client.v1.checkout.sessions.list().data) == 1


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        {"mystery": 1},
        {"drop_webhooks": -1},
        {"drop_webhooks": True},
        {"delay_seconds": "1"},
        {"fail_api": 3},
    ],
)
def test_malformed_faults_are_refused(shared_bench: Bench, wanted: object) -> None:
    before = requests.get(f"{shared_bench.url}/sandbox/faults", timeout=5).json()
    assert requests.post(f"{shared_bench.url}/sandbox/faults", json=wanted, timeout=5).status_code == 422
    assert requests.get(f"{shared_bench.url}/sandbox/faults", timeout=5).json() == before
