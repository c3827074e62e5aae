"""`flask stripe setup` over the stand-in: once, twice, after a lost answer, with another price."""

import json
from decimal import Decimal

import requests
from sqlalchemy import select, update

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.subscriptions import Plan, PlanPrice
from soulseer.services import plans
from soulseer.services.stripe_handlers import HANDLERS
from tests.money_in.conftest import SECRET_KEY


def setup(app, *options: str, status: int = 0) -> dict:
    """Run the command; what it printed, as JSON."""
    answer = app.test_cli_runner().invoke(args=["stripe", "setup", "--json", *options])
    assert answer.exit_code == status, answer.output
    return json.loads(next(line for line in answer.output.splitlines() if line.startswith("{")))


def did(answer: dict) -> list[str]:
    return [step["did"] for step in answer["steps"]]


def listed(sandbox, path: str, **query: object) -> list[dict]:
    """Everything of one kind that Stripe has."""
    url = f"{sandbox.stripe}/v1/{path}"
    answer = requests.get(url, params={"limit": 100, **query}, auth=(SECRET_KEY, ""), timeout=5)
    answer.raise_for_status()
    return answer.json()["data"]


def test_setup_makes_everything_once(app, sandbox) -> None:
    with transaction():
        plans.seed(clock.now())
    first = setup(app)
    # Four plans that cost something: a product and two prices each, and the endpoint.
    assert [word.split(" ")[0] for word in did(first)] == ["created"] * 13
    assert first["steps"][-1]["secret"] == "whsec_after"
    second = setup(app)
    assert did(second) == ["there already"] * 13
    assert "whsec" not in json.dumps(second)
    assert len(listed(sandbox, "products")) == 4
    assert len(listed(sandbox, "prices")) == 8
    (endpoint,) = listed(sandbox, "webhook_endpoints")
    assert sorted(endpoint["enabled_events"]) == sorted(HANDLERS)
    assert {"invoice.paid", "customer.subscription.updated", "checkout.session.completed"} <= set(HANDLERS)
    with transaction():
        known = set(db.session.scalars(select(PlanPrice.stripe_price_id)))
    assert known == {price["id"] for price in listed(sandbox, "prices")}


def test_setup_says_it_line_by_line_and_the_secret_once(app, sandbox) -> None:
    with transaction():
        plans.seed(clock.now())
    runner = app.test_cli_runner()
    told = runner.invoke(args=["stripe", "setup"]).output
    assert "product soulseer_starter (Starter): created" in told
    assert "(Starter, 29.00 USD a month): created" in told
    assert told.count("STRIPE_WEBHOOK_SIGNING_SECRET=whsec_after") == 1
    assert "whsec" not in runner.invoke(args=["stripe", "setup"]).output


def test_a_dry_run_changes_nothing(app, sandbox) -> None:
    with transaction():
        plans.seed(clock.now())
    answer = setup(app, "--dry-run")
    assert all(word.startswith("would be created") for word in did(answer))
    assert (
        listed(sandbox, "products") == listed(sandbox, "prices") == listed(sandbox, "webhook_endpoints") == []
    )
    with transaction():
        assert db.session.scalars(select(PlanPrice)).all() == []


def test_after_lost_answers_everything_is_found_again(app, sandbox) -> None:
    with transaction():
        plans.seed(clock.now())
    # Each call is done at Stripe, and its connection cut: three times, as often as the SDK repeats it.
    runs = 0
    for _ in range(20):
        sandbox.faults(timeout_after_effect=3)
        answer = app.test_cli_runner().invoke(args=["stripe", "setup", "--json"])
        sandbox.faults(timeout_after_effect=0)
        runs += 1
        if answer.exit_code == 0:
            break
    assert answer.exit_code == 0
    assert runs > 5
    assert len(listed(sandbox, "products")) == 4
    assert len(listed(sandbox, "prices")) == 8
    assert len(listed(sandbox, "webhook_endpoints")) == 1


def test_another_price_is_a_new_one_and_the_old_is_archived(app, member) -> None:
    reader = member()
    setup(app)
    reader.subscribe("enterprise")
    raise_to("550.00")
    answer = setup(app)
    changed = [(step["name"], step["did"]) for step in answer["steps"] if step["did"] != "there already"]
    assert changed == [
        ("Enterprise, 550.00 USD a month", "created"),
        ("Enterprise, 499.00 USD a month", "archived"),
    ]
    assert did(setup(app)) == ["there already"] * 13
    active = listed(reader.sandbox, "prices", product="soulseer_enterprise", active="true")
    assert sorted(price["unit_amount"] for price in active) == [55000, 499000]
    # Whoever subscribed before keeps the price.
    reader.switch("renew")
    assert reader.booked() == ["499.00", "499.00"]
    # And back again: the old price is put up once more, and no third one is made.
    raise_to("499.00")
    assert "put up again" in did(setup(app))
    assert len(listed(reader.sandbox, "prices", product="soulseer_enterprise")) == 3


def raise_to(dollars: str) -> None:
    with transaction():
        db.session.execute(
            update(Plan).where(Plan.code == "enterprise").values(monthly_price=Decimal(dollars))
        )


def test_an_endpoint_that_misses_types_is_mended(app, sandbox) -> None:
    url = f"{sandbox.product}/stripe/webhook/"
    body = {"url": url, "enabled_events[]": ["invoice.paid", "customer.deleted"]}
    requests.post(
        f"{sandbox.stripe}/v1/webhook_endpoints", data=body, auth=(SECRET_KEY, ""), timeout=5
    ).raise_for_status()
    (step,) = setup(app)["steps"]
    assert step["did"].startswith("updated: +")
    assert "-customer.deleted" in step["did"]
    assert step["secret"] == ""
    assert did(setup(app)) == ["there already"]


def test_a_stripe_that_does_not_answer_is_told(app, sandbox) -> None:
    with transaction():
        plans.seed(clock.now())
    sandbox.faults(fail_api={"status": 500, "count": 100})
    assert "error" in setup(app, status=1)
    sandbox.faults(fail_api={"status": 500, "count": 0})


def test_seeding_twice_leaves_what_was_changed(app) -> None:
    with transaction():
        assert plans.seed(clock.now()) == 5
    with transaction():
        db.session.execute(update(Plan).where(Plan.code == "starter").values(name="Begin"))
    with transaction():
        assert plans.seed(clock.now()) == 0
        found = {
            plan.code: (plan.name, plan.monthly_price, plan.yearly_price)
            for plan in plans.offered(["reader"])
        }
    assert found == {
        "free": ("Free", Decimal(0), Decimal(0)),
        "starter": ("Begin", Decimal(29), Decimal(290)),
        "professional": ("Professional", Decimal(99), Decimal(990)),
        "enterprise": ("Enterprise", Decimal(499), Decimal(4990)),
    }
