"""The gateway against the stand-in: accounts, onboarding, transfers, what comes back, and Stripe's refusals."""

import pytest
import requests

from soulseer import gateways
from soulseer.gateways import stripe_connect
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.gateways.stripe_connect import TransferOrder


def stripe():
    return gateways.current().stripe


def onboarded(sandbox) -> str:
    """An account that may be sent money; its id."""
    made = stripe_connect.create_account(stripe(), "r@test.test", {"person_id": "7"}, "account:7")
    requests.post(f"{sandbox.stripe}/sandbox/accounts/{made.id}/onboard", timeout=5).raise_for_status()
    return made.id


def order(destination: str, cents: int = 3000) -> TransferOrder:
    return TransferOrder(cents, "USD", destination, "payout:1:1", {"payout_id": "1"})


def test_an_account_is_opened_once_and_onboarded_by_its_page(sandbox) -> None:
    first = stripe_connect.create_account(stripe(), "r@test.test", {"person_id": "7"}, "account:7")
    again = stripe_connect.create_account(stripe(), "r@test.test", {"person_id": "7"}, "account:7")
    assert first == again
    assert not first.details_submitted
    assert not first.transfers_enabled
    assert "external_account" in first.currently_due
    link = stripe_connect.onboarding_link(
        stripe(), first.id, return_url="http://127.0.0.1/back", refresh_url="http://127.0.0.1/again"
    )
    page = requests.get(link, timeout=5)
    assert page.status_code == 200
    assert "external_account" in page.text
    done = requests.post(f"{link}/finish", timeout=5, allow_redirects=False)
    assert done.headers["Location"] == "http://127.0.0.1/back"
    used = requests.get(link, timeout=5, allow_redirects=False)
    assert used.headers["Location"] == "http://127.0.0.1/again"
    now = stripe_connect.retrieve_account(stripe(), first.id)
    assert now.details_submitted
    assert now.transfers_enabled
    assert now.currently_due == ()
    assert sandbox.events("account.updated")[0]["data"]["object"]["id"] == first.id


def test_a_transfer_is_made_once_for_its_key_and_found_by_its_group(sandbox) -> None:
    account = onboarded(sandbox)
    sent = stripe_connect.create_transfer(stripe(), order(account), "payout:1:1")
    assert stripe_connect.create_transfer(stripe(), order(account), "payout:1:1") == sent
    assert stripe_connect.find_transfer(stripe(), "payout:1:1", account) == sent
    assert stripe_connect.find_transfer(stripe(), "payout:2:1", account) is None
    lines = requests.get(
        f"{sandbox.stripe}/v1/balance_transactions", auth=("sk_test_0123456789", ""), timeout=5
    )
    assert [(line["type"], line["amount"], line["source"]) for line in lines.json()["data"]] == [
        ("transfer", -3000, sent.id)
    ]


def test_parts_come_back_and_never_more_than_was_sent(sandbox) -> None:
    account = onboarded(sandbox)
    sent = stripe_connect.create_transfer(stripe(), order(account), "payout:1:1")
    reverse = f"{sandbox.stripe}/sandbox/transfers/{sent.id}/reverse"
    assert requests.post(reverse, json={"amount": 1000}, timeout=5).json()["amount"] == 1000
    assert stripe_connect.retrieve_transfer(stripe(), sent.id).reversed_cents == 1000
    assert requests.post(reverse, json={"amount": 2001}, timeout=5).status_code == 400
    assert requests.post(reverse, json={}, timeout=5).json()["amount"] == 2000
    events = sandbox.events("transfer.reversed")
    assert [event["data"]["object"]["amount_reversed"] for event in events] == [1000, 3000]


def test_refusals_say_why(sandbox) -> None:
    bare = stripe_connect.create_account(stripe(), None, {}, "account:8").id
    with pytest.raises(StripeRefused) as refused:
        stripe_connect.create_transfer(stripe(), order(bare), "payout:1:1")
    assert stripe_connect.refusal_code(refused.value) == "insufficient_capabilities_for_transfer"
    account = onboarded(sandbox)
    requests.post(
        f"{sandbox.stripe}/sandbox/transfers", json={"outcome": "balance_insufficient"}, timeout=5
    ).raise_for_status()
    with pytest.raises(StripeRefused) as refused:
        stripe_connect.create_transfer(stripe(), order(account), "payout:1:2")
    assert stripe_connect.refusal_code(refused.value) == stripe_connect.NO_FUNDS
    with pytest.raises(StripeRefused):
        stripe_connect.create_transfer(stripe(), order("acct_unknown"), "payout:1:3")
    with pytest.raises(StripeRefused) as refused:
        stripe_connect.retrieve_account(stripe(), "acct_unknown")
    assert refused.value.missing


def test_another_order_under_the_same_key_is_not_a_refusal(sandbox) -> None:
    account = onboarded(sandbox)
    stripe_connect.create_transfer(stripe(), order(account), "payout:1:1")
    with pytest.raises(StripeUnavailable):
        stripe_connect.create_transfer(stripe(), order(account, 3001), "payout:1:1")


def test_requirements_due_and_past_due(sandbox) -> None:
    account = onboarded(sandbox)
    require = f"{sandbox.stripe}/sandbox/accounts/{account}/require"
    requests.post(require, json={"currently_due": ["external_account"]}, timeout=5).raise_for_status()
    told = stripe_connect.retrieve_account(stripe(), account)
    assert told.transfers_enabled
    assert told.currently_due == ("external_account",)
    requests.post(require, json={"past_due": ["external_account"]}, timeout=5).raise_for_status()
    told = stripe_connect.retrieve_account(stripe(), account)
    assert not told.transfers_enabled
    assert (told.past_due, told.disabled_reason) == (("external_account",), "requirements.past_due")
