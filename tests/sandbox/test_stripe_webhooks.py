"""Deliveries: signed, retried, doubled, dropped, resent, and going on after a restart."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from tests.sandbox.ports import free_port, wait_until_healthy
from tests.sandbox.stripe_bench import SECRET_KEY, WEBHOOK_SECRET, Bench, Receiver, running, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
PAID = {
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
}


def log_of(bench: Bench) -> list[dict]:
    return requests.get(f"{bench.url}/sandbox/events.json", timeout=5).json()["events"]


def test_a_payment_is_announced_and_signed(bench: Bench, receiver: Receiver) -> None:
    session = bench.create(key="k")
    bench.pay(session.id)
    wait_until(lambda: len(receiver.events) == len(PAID))
    assert set(receiver.types()) == PAID
    completed = next(event for event in receiver.events if event["type"] == "checkout.session.completed")
    assert completed["data"]["object"]["id"] == session.id
    assert completed["data"]["object"]["payment_status"] == "paid"
    assert completed["data"]["object"]["metadata"]["top_up_id"] == "7"
    assert (completed["object"], completed["livemode"], completed["pending_webhooks"]) == ("event", False, 1)
    assert set(completed) >= {"id", "api_version", "created", "request", "account"}
    wait_until(lambda: bench.client.v1.events.retrieve(completed["id"]).pending_webhooks == 0)


def test_retries_until_the_receiver_accepts(bench: Bench, receiver: Receiver) -> None:
    receiver.answers = [500, 302, 400, 503]
    started = time.monotonic()
    bench.client.v1.customers.create({"name": "a"})
    wait_until(lambda: receiver.types() == ["customer.created"])
    assert receiver.refused == 4
    # 50 + 100 + 200 + 400 ms
    assert time.monotonic() - started >= 0.75
    wait_until(lambda: log_of(bench)[0]["deliveries"][0]["state"] == "delivered")
    assert log_of(bench)[0]["deliveries"][0]["attempts"] == 5


def test_the_back_off_is_capped_and_ends(tmp_path, receiver: Receiver) -> None:
    receiver.answers = [500] * 50
    with running(tmp_path, receiver, longest_retry_seconds=0.1, give_up_after_seconds=0.5) as bench:
        bench.client.v1.customers.create({"name": "a"})
        wait_until(lambda: log_of(bench)[0]["deliveries"][0]["state"] == "abandoned")
        assert 4 <= receiver.refused <= 8
        event_id = log_of(bench)[0]["id"]
        receiver.answers = []
        assert (
            requests.post(f"{bench.url}/sandbox/events/{event_id}/resend", timeout=5).json()["queued"] is True
        )
        wait_until(lambda: receiver.types() == ["customer.created"])


def test_doubled_dropped_and_late(bench: Bench, receiver: Receiver) -> None:
    bench.faults(duplicate_webhooks=1)
    bench.client.v1.customers.create({"name": "doubled"})
    wait_until(lambda: len(receiver.events) == 2)
    assert receiver.events[0]["id"] == receiver.events[1]["id"]
    bench.faults(drop_webhooks=1)
    lost = bench.client.v1.customers.create({"name": "lost"})
    bench.faults(delay_seconds=0.3)
    asked = time.monotonic()
    late = bench.client.v1.customers.create({"name": "late"})
    wait_until(lambda: len(receiver.events) == 3)
    assert time.monotonic() - asked >= 0.3
    assert receiver.events[2]["data"]["object"]["id"] == late.id
    # What no webhook told, the events list does.
    assert bench.client.v1.events.list().data[1].data.object["id"] == lost.id
    assert requests.delete(f"{bench.url}/sandbox/faults", timeout=5).json()["delay_seconds"] == 0
    assert requests.post(f"{bench.url}/sandbox/events/evt_missing/resend", timeout=5).status_code == 404


def test_an_overdue_checkout_expires_by_itself(bench: Bench, receiver: Receiver) -> None:
    session = bench.create(expires_at=int(time.time()) + 1)
    wait_until(lambda: receiver.types() == ["checkout.session.expired"])
    assert receiver.events[0]["data"]["object"]["id"] == session.id
    assert bench.pay(session.id).status_code == 409
    page = requests.get(f"{bench.url}/c/pay/{session.id}", timeout=5)
    assert "has expired" in page.text


def test_a_restart_keeps_state_and_goes_on_delivering(tmp_path, receiver: Receiver) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"], "STRIPE_SECRET_KEY": SECRET_KEY, "APP_BASE_URL": "http://127.0.0.1:8000",
        "STRIPE_WEBHOOK_SIGNING_SECRET": f"{WEBHOOK_SECRET},whsec_second", "STRIPE_WEBHOOK_URL": receiver.url,
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "soulseer.sandbox.stripe",
        "--port",
        str(port),
        "--directory",
        str(tmp_path),
    ]
    bare = subprocess.run(
        command, cwd=REPOSITORY, env={"PATH": environment["PATH"]}, capture_output=True, text=True
    )
    assert bare.returncode == 1
    assert "STRIPE_SECRET_KEY is not set" in bare.stderr

    def started() -> subprocess.Popen:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
        wait_until_healthy(base)
        return process

    receiver.answers = [503]
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    process = started()
    try:
        made = requests.post(f"{base}/v1/customers", data={"name": "kept"}, headers=headers, timeout=5).json()
        wait_until(lambda: receiver.refused == 1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert receiver.events == []
    process = started()
    try:
        wait_until(lambda: receiver.types() == ["customer.created"])
        assert requests.get(f"{base}/v1/customers/{made['id']}", headers=headers, timeout=5).json() == made
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
