"""The stand-in's disputes answer as Stripe documents them: https://docs.stripe.com/api/disputes."""

import pytest
import requests

from tests import factories
from tests.disputes.bank import ask_back, bank, paid
from tests.money_in.conftest import SECRET_KEY, Sandbox
from tests.money_in.events import top_up


def call(sandbox: Sandbox, method: str, path: str, **data: str) -> requests.Response:
    sends = {"params": data} if method == "GET" else {"data": data}
    return requests.request(method, f"{sandbox.stripe}/v1/{path}", auth=(SECRET_KEY, ""), timeout=10, **sends)  # type: ignore[arg-type]


@pytest.fixture
def opened(sandbox: Sandbox) -> str:
    return ask_back(sandbox, paid(sandbox, factories.person().id), 1000)


def test_money_and_events_of_a_won_dispute(sandbox: Sandbox, opened: str) -> None:
    bank(sandbox, opened, "win")
    dispute = call(sandbox, "GET", f"disputes/{opened}").json()
    assert (dispute["object"], dispute["status"], dispute["amount"]) == ("dispute", "won", 1000)
    lines = [
        (line["type"], line["amount"], line["fee"], line["net"], line["source"], line["reporting_category"])
        for line in dispute["balance_transactions"]
    ]
    assert lines == [
        ("adjustment", -1000, 1500, -2500, opened, "dispute"),
        ("adjustment", 1000, 0, 1000, opened, "dispute"),
    ]
    assert call(sandbox, "GET", f"charges/{dispute['charge']}").json()["disputed"] is True
    kinds = ("created", "funds_withdrawn", "funds_reinstated", "closed")
    assert [len(sandbox.events(f"charge.dispute.{kind}")) for kind in kinds] == [1, 1, 1, 1]
    listed = call(sandbox, "GET", "disputes", charge=dispute["charge"]).json()
    assert [each["id"] for each in listed["data"]] == [opened]
    assert call(sandbox, "GET", "disputes", charge="ch_other").json()["data"] == []


def test_evidence_may_be_kept_before_it_is_submitted(sandbox: Sandbox, opened: str) -> None:
    kept = call(
        sandbox, "POST", f"disputes/{opened}", **{"evidence[customer_name]": "Zoe", "submit": "false"}
    ).json()
    assert (kept["status"], kept["evidence"]["customer_name"]) == ("needs_response", "Zoe")
    assert kept["evidence_details"]["has_evidence"] is True
    sent = call(sandbox, "POST", f"disputes/{opened}", **{"evidence[uncategorized_text]": "x"}).json()
    assert (sent["status"], sent["evidence_details"]["submission_count"]) == ("under_review", 1)
    again = call(sandbox, "POST", f"disputes/{opened}", **{"evidence[uncategorized_text]": "y"})
    assert (again.status_code, again.json()["error"]["type"]) == (400, "invalid_request_error")
    assert call(sandbox, "POST", f"disputes/{opened}/close").status_code == 400


def test_what_stripe_refuses(sandbox: Sandbox, opened: str) -> None:
    assert call(sandbox, "GET", "disputes/dp_none").status_code == 404
    for field in ("evidence[nonsense]", "nonsense"):
        assert call(sandbox, "POST", f"disputes/{opened}", **{field: "x"}).status_code == 400
    missing = call(sandbox, "POST", f"disputes/{opened}", **{"evidence[receipt]": "file_none"})
    assert missing.json()["error"]["code"] == "resource_missing"
    upload = {"url": f"{sandbox.stripe}/v1/files", "auth": (SECRET_KEY, ""), "timeout": 10}
    text = requests.post(data={"purpose": "dispute_evidence"}, files={"file": b"no picture"}, **upload)  # type: ignore[arg-type]
    assert text.status_code == 400
    assert requests.post(data={"purpose": "dispute_evidence"}, **upload).status_code == 400  # type: ignore[arg-type]
    closed = call(sandbox, "POST", f"disputes/{opened}/close").json()
    assert closed["status"] == "lost"
    for deed in ("win", "escalate"):
        refused = requests.post(f"{sandbox.stripe}/sandbox/disputes/{opened}/{deed}", timeout=10)
        assert refused.status_code == 400


def test_more_than_was_paid_cannot_be_asked_back(sandbox: Sandbox) -> None:
    payment = top_up(paid(sandbox, factories.person().id).id)
    for wanted in ({"amount": 2501}, {"amount": 0}, {"amount": "1"}, {"reason": "nonsense"}):
        body = {"checkout_session": payment.stripe_checkout_session_id, **wanted}
        assert requests.post(f"{sandbox.stripe}/sandbox/disputes", json=body, timeout=10).status_code == 400
