"""The stand-in's refunds through Stripe's own SDK: partial, too much, failed later, pending at first."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import stripe

from tests.sandbox.stripe_bench import Bench, Receiver, running, wait_until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    receiver = Receiver()
    try:
        with running(tmp_path, receiver) as made:
            yield made
    finally:
        receiver.close()


def paid(bench: Bench, amount: int = 2_500) -> str:
    """The payment intent of a paid Checkout session."""
    return bench.pay(bench.create(amount=amount).id).json()["session"]["payment_intent"]


def give_back(bench: Bench, intent: str, **parameters: object) -> stripe.Refund:
    return bench.client.v1.refunds.create({"payment_intent": intent, **parameters})  # type: ignore[typeddict-item]


def switch(bench: Bench, path: str, **wanted: object) -> dict:
    answer = requests.post(f"{bench.url}/sandbox/refunds{path}", json=wanted, timeout=5)
    answer.raise_for_status()
    return answer.json()


def balance(bench: Bench) -> int:
    found = bench.client.v1.balance.retrieve()
    return sum(part["amount"] for part in (*found["available"], *found["pending"]))


def test_parts_and_the_rest_and_never_more(bench: Bench) -> None:
    intent = paid(bench)
    before = balance(bench)
    first = give_back(bench, intent, amount=1_000, metadata={"refund": "1"})
    assert (first.status, first.amount, first.metadata["refund"]) == ("succeeded", 1_000, "1")
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        give_back(bench, intent, amount=1_501)
    assert give_back(bench, intent).amount == 1_500
    with pytest.raises(stripe.InvalidRequestError) as refused:
        give_back(bench, intent)
    assert refused.value.code == "charge_already_refunded"
    charge = bench.client.v1.charges.retrieve(first.charge)
    assert (charge.amount_refunded, charge.refunded) == (2_500, True)
    assert balance(bench) == before - 2_500
    listed = bench.client.v1.refunds.list({"payment_intent": intent}).data
    assert [refund.amount for refund in listed] == [1_500, 1_000]
    wait_until(lambda: bench.receiver.types().count("charge.refunded") == 2)
    assert bench.receiver.types().count("refund.created") == 2


def test_the_same_key_is_one_refund(bench: Bench) -> None:
    intent = paid(bench)
    parameters = {"payment_intent": intent, "amount": 100}
    made = [bench.client.v1.refunds.create(parameters, {"idempotency_key": "r"}).id for _ in range(2)]  # type: ignore[arg-type]
    assert made[0] == made[1]
    assert len(bench.client.v1.refunds.list({"payment_intent": intent}).data) == 1


def test_a_bank_sends_it_back_later(bench: Bench) -> None:
    intent = paid(bench)
    before = balance(bench)
    made = give_back(bench, intent, amount=700)
    failed = switch(bench, f"/{made.id}/fail", reason="expired_or_canceled_card")
    assert (failed["status"], failed["failure_reason"]) == ("failed", "expired_or_canceled_card")
    assert balance(bench) == before
    assert bench.client.v1.charges.retrieve(made.charge).amount_refunded == 0
    lines = bench.client.v1.balance_transactions.list({"source": made.id}).data
    assert [(line.type, line.amount) for line in lines] == [("refund_failure", 700), ("refund", -700)]
    wait_until(lambda: "refund.failed" in bench.receiver.types())
    assert give_back(bench, intent).amount == 2_500


def test_pending_at_first(bench: Bench) -> None:
    intent = paid(bench)
    switch(bench, "", pending=True)
    made = give_back(bench, intent)
    assert made.status == "pending"
    assert switch(bench, f"/{made.id}/settle")["status"] == "succeeded"
    wait_until(lambda: "refund.updated" in bench.receiver.types())
    assert bench.client.v1.refunds.retrieve(made.id).status == "succeeded"
