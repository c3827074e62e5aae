"""One customer at Stripe for each person, whoever asks, and however often."""

import pytest
import requests
from flask import Flask
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.errors import NotFound
from soulseer.gateways.stripe import StripeUnavailable
from soulseer.models.people import Person
from soulseer.services import customers
from tests import factories
from tests.factories import START
from tests.money_in.conftest import SECRET_KEY, Sandbox, in_threads
from tests.money_in.events import begun, top_up, wait_for, work


def at_stripe(sandbox: Sandbox) -> list[dict]:
    answer = requests.get(f"{sandbox.stripe}/v1/customers", auth=(SECRET_KEY, ""), timeout=5)
    answer.raise_for_status()
    return answer.json()["data"]


def test_a_top_up_is_paid_by_the_persons_customer_and_its_charge_is_kept(sandbox: Sandbox) -> None:
    person = factories.person()
    first, second = begun(person.id), begun(person.id, "10.00")
    (customer,) = at_stripe(sandbox)
    assert (customer["email"], customer["metadata"]) == (person.email, {"person_id": str(person.id)})
    assert {checkout["customer"] for checkout in sandbox.checkouts()} == {customer["id"]}
    known = customers.customer_of(person.id)
    assert known is not None
    assert known.stripe_customer_id == customer["id"]

    sandbox.pay(first.stripe_checkout_session_id or "")
    wait_for(lambda: work() is not None and top_up(first.id).state == "paid")
    charge = sandbox.events("charge.succeeded")[0]["data"]["object"]
    assert top_up(first.id).stripe_charge_id == charge["id"]
    assert top_up(second.id).stripe_charge_id is None


def test_many_at_once_get_one_customer(sandbox: Sandbox, app: Flask) -> None:
    person = factories.person()
    found = in_threads(app, 4, lambda _: customers.ensure(person.id, START))
    assert found == [at_stripe(sandbox)[0]["id"]] * 4
    assert len(at_stripe(sandbox)) == 1


def test_made_but_not_answered_is_found_again(sandbox: Sandbox) -> None:
    person = factories.person()
    sandbox.faults(timeout_after_effect=3)
    with pytest.raises(StripeUnavailable):
        customers.ensure(person.id, START)
    assert customers.customer_of(person.id) is None
    assert customers.ensure(person.id, START) == at_stripe(sandbox)[0]["id"]
    assert len(at_stripe(sandbox)) == 1


def test_an_address_that_changed_before_the_retry_does_not_stop_the_payment(sandbox: Sandbox) -> None:
    person = factories.person()
    sandbox.faults(timeout_after_effect=3)
    with pytest.raises(StripeUnavailable):
        customers.ensure(person.id, START)
    with transaction():
        db.session.scalars(select(Person).where(Person.id == person.id)).one().email = "new@demo.test"
    assert begun(person.id).state == "open"


@pytest.mark.parametrize("address", [None, "", "no address", "ü@demo.test", "a@b"])
def test_an_address_that_stripe_could_not_read_is_left_out(sandbox: Sandbox, address: str | None) -> None:
    person = factories.person()
    with transaction():
        db.session.scalars(select(Person).where(Person.id == person.id)).one().email = address
    customers.ensure(person.id, START)
    assert at_stripe(sandbox)[0]["email"] is None


def test_nobody_is_no_customer(sandbox: Sandbox) -> None:
    with pytest.raises(NotFound):
        customers.ensure(999, START)
