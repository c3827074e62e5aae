"""Saved cards and what was agreed to about them: kept, replaced, removed; the terms of automatic top-ups."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import requests
from sqlalchemy import select, text

from soulseer.blueprints import wallet
from soulseer.db import db, transaction
from soulseer.domain.errors import InvalidInput
from soulseer.domain.months import month_of
from soulseer.models.auto_reload import RetiredCard
from soulseer.models.payments import TopUp
from soulseer.services import auto_reload, customers
from soulseer.services.auto_reload import Terms
from tests import factories
from tests.money_in.conftest import SECRET_KEY, Sandbox
from tests.money_in.events import wait_for, wallet_of, work
from tests.top_ups.reloading import NOW, TERMS, reloads, run, save_card, settings, switched_on


def test_a_card_is_kept_only_where_its_owner_agreed(sandbox: Sandbox) -> None:
    person = factories.person()
    made = wallet.start(person.id, Decimal("10.00"), key=None)
    sandbox.pay(made.stripe_checkout_session_id or "")
    wait_for(lambda: work() is not None and wallet_of(person.id) == 10)
    assert getattr(customers.customer_of(person.id), "payment_method_id", "") is None
    save_card(sandbox, person.id)
    kept = customers.customer_of(person.id)
    assert kept is not None
    assert (kept.card_brand, kept.card_last4) == ("visa", "4242")
    consent = kept.card_consent_at
    with transaction():
        top_up = db.session.scalars(select(TopUp).where(TopUp.card_consent_at.is_not(None))).one()
    assert top_up.card_consent_at == consent == top_up.created_at


def test_a_removed_card_is_charged_no_more_and_forgotten_by_stripe(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    method = (customers.customer_of(person.id) or pytest.fail("none")).payment_method_id
    with transaction():
        assert auto_reload.remove_card(person.id, NOW)
    with transaction():
        assert not auto_reload.remove_card(person.id, NOW)
    sandbox.faults(timeout_after_effect=3)
    assert run() == {"card_unanswered": 1}
    assert run(timedelta(minutes=2)) == {"card_forgotten": 1}
    assert run(timedelta(days=1)) == {}
    with transaction():
        retired = db.session.scalars(select(RetiredCard)).one()
    assert (retired.payment_method_id, retired.detached_at) == (method, NOW + timedelta(minutes=2))
    assert settings(person.id).off_reason == "card_removed"
    at_stripe = requests.get(
        f"{sandbox.stripe}/v1/payment_methods/{method}", auth=(SECRET_KEY, ""), timeout=5
    ).json()
    assert at_stripe["customer"] is None
    with pytest.raises(InvalidInput) as refused, transaction():
        auto_reload.switch_on(person.id, TERMS, NOW)
    assert refused.value.field == "card"


def test_a_new_card_takes_the_place_of_the_old(sandbox: Sandbox) -> None:
    person = factories.person()
    old, new = save_card(sandbox, person.id), save_card(sandbox, person.id, "5555555555554444")
    kept = customers.customer_of(person.id)
    assert kept is not None
    assert (kept.payment_method_id, kept.card_brand) == (new, "mastercard")
    assert run(timedelta(hours=1)) == {"card_forgotten": 1}
    methods = {
        method: requests.get(
            f"{sandbox.stripe}/v1/payment_methods/{method}", auth=(SECRET_KEY, ""), timeout=5
        ).json()
        for method in (old, new)
    }
    assert methods[old]["customer"] is None
    assert methods[new]["customer"] == kept.stripe_customer_id


def test_a_card_that_stripe_lost_is_a_refusal(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    method = (customers.customer_of(person.id) or pytest.fail("none")).payment_method_id
    requests.post(
        f"{sandbox.stripe}/v1/payment_methods/{method}/detach", auth=(SECRET_KEY, ""), timeout=5
    ).raise_for_status()
    assert run() == {"failed": 1}
    assert "not kept" in (reloads(person.id)[0].failure or "")


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (("0.99", "25.00", "100.00"), "threshold"),
        (("500.01", "25.00", "100.00"), "threshold"),
        (("10.00", "4.99", "100.00"), "amount"),
        (("10.00", "500.01", "1000.00"), "amount"),
        (("25.01", "25.00", "100.00"), "amount"),
        (("10.00", "25.00", "24.99"), "monthly_cap"),
        (("10.00", "25.00", "5000.01"), "monthly_cap"),
    ],
)
def test_terms_beyond_the_limits(sandbox: Sandbox, terms: tuple[str, str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused, transaction():
        auto_reload.switch_on(1, Terms(*(Decimal(value) for value in terms)), NOW)
    assert refused.value.field == field


def test_what_was_agreed_to_cannot_be_rewritten(sandbox: Sandbox) -> None:
    switched_on(sandbox)
    run()
    for statement in (
        "UPDATE top_up SET card_consent_at = now()",
        "UPDATE top_up SET payment_method_id = 'pm_other' WHERE origin = 'auto_reload'",
        "DELETE FROM auto_reload",
        "DELETE FROM retired_card",
    ):
        with pytest.raises(Exception, match=r"never change|kept"), transaction():
            db.session.execute(text(statement))
    with transaction():
        details = db.session.scalar(text("SELECT details FROM audit_entry WHERE action = 'auto_reload.on'"))
    assert details == {"threshold": "10.00", "amount": "25.00", "monthly_cap": "100.00"}


@pytest.mark.parametrize(
    ("instant", "zone", "begins", "ends"),
    [
        ("2026-11-30T23:30:00+00:00", "UTC", "2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        (
            "2026-11-30T23:30:00+00:00",
            "Europe/Berlin",
            "2026-11-30T23:00:00+00:00",
            "2026-12-31T23:00:00+00:00",
        ),
        (
            "2026-11-01T04:30:00+00:00",
            "America/New_York",
            "2026-11-01T04:00:00+00:00",
            "2026-12-01T05:00:00+00:00",
        ),
        (
            "2026-12-31T12:00:00+00:00",
            "Nowhere/Land",
            "2026-12-01T00:00:00+00:00",
            "2027-01-01T00:00:00+00:00",
        ),
    ],
)
def test_months_are_the_persons_own(instant: str, zone: str, begins: str, ends: str) -> None:
    found = month_of(datetime.fromisoformat(instant), zone)
    assert found == (datetime.fromisoformat(begins), datetime.fromisoformat(ends))
