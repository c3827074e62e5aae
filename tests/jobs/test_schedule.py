"""The schedule is data: every job is there, its queue is consumed, its slots have one name, and losing one loses nothing."""

import importlib
import pkgutil
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

import soulseer.jobs
from soulseer import gateways
from soulseer.domain.schedule import PLANS, QUEUES, job_id, slot_at, slot_name, slot_of
from soulseer.jobs.schedule import JOBS, SCHEDULE

AT_LEAST = {"billing_tick": 60, "expire_grace_periods": 30}


def test_the_jobs_of_the_design_are_on_it() -> None:
    names = [job.name for job in SCHEDULE]
    assert len(names) == len(set(names))
    assert {*AT_LEAST, "session_finalize", "process_stripe_webhook"} <= set(names)
    assert {name: JOBS[name].seconds() for name in AT_LEAST} == AT_LEAST


def test_every_queue_is_consumed_and_every_consumed_queue_is_used() -> None:
    assert {job.queue for job in SCHEDULE} == set(QUEUES)


def test_the_worker_listens_on_every_queue(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from soulseer.jobs import worker

    listened: list[str] = []

    class Listener:
        def __init__(self, queues: list, **more: object) -> None:
            listened.extend(queue.name for queue in queues)

        def work(self, **more: object) -> None:
            pass

    monkeypatch.setattr(worker, "SimpleWorker", Listener)
    worker.run(burst=True)
    assert listened == list(QUEUES)


def test_every_job_has_a_module_of_its_name_and_every_job_module_is_scheduled() -> None:
    modules = {module.name for module in pkgutil.iter_modules(soulseer.jobs.__path__)}
    assert {job.name for job in SCHEDULE} <= modules
    jobs = {
        name
        for name in modules
        if callable(getattr(importlib.import_module(f"soulseer.jobs.{name}"), "run", None))
    }
    assert jobs - {"runner", "worker"} == {job.name for job in SCHEDULE}


def test_everything_that_services_enqueue_is_a_job_on_its_queue() -> None:
    from pathlib import Path

    call = re.compile(r"enqueue\(\s*\"(\w+)\",\s*\"(\w+)\"")
    found = {
        pair
        for path in (Path(soulseer.jobs.__file__).parents[1]).rglob("*.py")
        for pair in call.findall(path.read_text())
    }
    assert found, "nothing is enqueued anywhere?"
    assert found <= {(job.queue, job.name) for job in SCHEDULE}


@given(
    st.integers(1_577_836_800, 4_102_444_800).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.sampled_from(PLANS),
)
def test_a_slot_begins_at_or_before_its_instant_and_has_one_name(instant: datetime, plan) -> None:  # type: ignore[no-untyped-def]
    slot = slot_at(plan, instant)
    assert slot <= instant < slot + timedelta(seconds=plan.seconds())
    assert slot_at(plan, slot) == slot
    assert slot_of(slot_name(slot)) == slot
    assert re.fullmatch(r"[A-Za-z0-9_-]+", job_id(plan, slot))


def test_the_id_of_a_slot_is_the_designs() -> None:
    assert (
        job_id(JOBS["billing_tick"], datetime(2026, 11, 20, 10, 15, tzinfo=UTC))
        == "billing_tick-20261120T101500Z"
    )


def test_one_id_is_queued_once(app: Flask) -> None:
    queue = gateways.current().queue
    assert queue.enqueue("billing", "billing_tick", job_id="billing_tick-20261120T101500Z")
    assert not queue.enqueue("billing", "billing_tick", job_id="billing_tick-20261120T101500Z")
    assert queue.enqueue("billing", "billing_tick", job_id="billing_tick-20261120T101600Z")
    assert len(queue.queue("billing").get_job_ids()) == 2
