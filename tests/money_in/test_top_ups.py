"""A top-up from the intent to the credit, with Stripe late, doubled, silent, or cut off in the middle."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
import requests
from flask import Flask

from soulseer import gateways
from soulseer.blueprints import wallet
from soulseer.domain import clock
from soulseer.domain.errors import IdempotencyMismatch, InvalidInput, NotFound
from soulseer.gateways.stripe import StripeGateway, StripeRefused, StripeUnavailable
from soulseer.models.payments import TopUp
from soulseer.services import customers, top_ups
from tests import factories
from tests.money_in import events
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import (
    alerts,
    as_event,
    begun,
    deliver,
    postings,
    statuses,
    top_up,
    wait_for,
    wallet_of,
    work,
)

MINUTES = timedelta(minutes=1)


def only_top_up(person_id: int) -> TopUp:
    (one,) = top_ups.recent(person_id)
    return top_ups.owned(person_id, one.id)


def test_the_whole_path(sandbox: Sandbox) -> None:
    person = factories.person()
    made = begun(person.id)
    assert (made.state, made.amount) == ("open", Decimal("25.00"))
    assert made.checkout_url == f"{sandbox.stripe}/c/pay/{made.stripe_checkout_session_id}"
    assert wallet_of(person.id) == 0

    assert sandbox.pay(made.stripe_checkout_session_id or "").status_code == 200
    wait_for(lambda: len(statuses()) == 4)
    work()

    assert wallet_of(person.id) == Decimal("25.00")
    paid = top_up(made.id)
    assert paid.state == "paid"
    assert paid.paid_at is not None
    (credit,) = postings()
    assert credit.idempotency_key == f"top-up:{made.stripe_checkout_session_id}"
    assert credit.stripe_reference == paid.stripe_payment_intent_id
    assert (credit.stripe_reference or "").startswith("pi_")
    assert sorted(statuses().values()) == ["ignored", "ignored", "ignored", "processed"]
    assert alerts() == []
    assert events.books_balance()
    assert work(later=60 * MINUTES) == {}


def test_stripe_knows_whose_it_is(sandbox: Sandbox) -> None:
    person = factories.person()
    made = begun(person.id)
    (checkout,) = sandbox.checkouts()
    assert checkout["client_reference_id"] == top_ups.reference(made)
    assert checkout["metadata"] == {"top_up_id": str(made.id), "person_id": str(person.id)}
    assert (checkout["amount_total"], checkout["currency"]) == (2500, "usd")
    assert checkout["success_url"] == f"{sandbox.product}/wallet/top-up/{made.id}/?from=checkout"


def test_twenty_events_about_one_session_three_copies_each_shuffled_are_one_credit(
    sandbox: Sandbox, app: Flask
) -> None:
    """Through the HTTP door by threads, then by parallel workers: one credit for each of three sessions."""
    people = [factories.person() for _ in range(3)]
    made = [
        begun(person.id, amount) for person, amount in zip(people, ("10.00", "25.00", "50.00"), strict=True)
    ]
    sandbox.faults(drop_webhooks=1000)
    for each in made:
        assert sandbox.pay(each.stripe_checkout_session_id or "").status_code == 200
    checkouts = {checkout["id"]: checkout for checkout in sandbox.checkouts()}
    payloads = [
        as_event(checkouts[each.stripe_checkout_session_id], f"evt_{each.id}_{number}", kind)
        for each in made
        for number in range(20)
        for kind in [("checkout.session.completed", "checkout.session.async_payment_succeeded")[number % 2]]
    ] * 3
    random.Random(7).shuffle(payloads)
    answers = in_threads(
        app, 6, lambda worker: [deliver(sandbox, payload).status_code for payload in payloads[worker::6]]
    )
    assert {status for some in answers for status in some} == {200}
    assert len(statuses()) == 60

    in_threads(app, 4, lambda _: work())

    assert set(statuses().values()) == {"processed"}
    assert len(postings()) == 3
    assert [wallet_of(person.id) for person in people] == [
        Decimal("10.00"),
        Decimal("25.00"),
        Decimal("50.00"),
    ]
    assert alerts() == []
    assert events.books_balance()


def test_one_event_named_to_several_workers_at_once_is_one_credit(sandbox: Sandbox, app: Flask) -> None:
    person = factories.person()
    made = begun(person.id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "")
    deliver(sandbox, as_event(sandbox.checkouts()[0], "evt_1"))
    row_id = str(events.row_of("evt_1").id)
    outcomes = in_threads(app, 4, lambda _: work(event=row_id))
    assert {"processed": 1} in outcomes
    assert len(postings()) == 1
    assert work(event=row_id) == {"nothing_due": 1}


def test_a_lost_webhook_is_made_good_by_the_sweep(sandbox: Sandbox) -> None:
    person = factories.person()
    made = begun(person.id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "")
    assert work() == {}
    assert work(later=2 * MINUTES) == {"top_up_credited": 1}
    assert wallet_of(person.id) == Decimal("25.00")
    # The event comes after all.
    deliver(sandbox, as_event(sandbox.checkouts()[0], "evt_late"))
    assert work() == {"processed": 1}
    assert len(postings()) == 1


def test_the_sweep_asks_ever_less_often_and_stops_when_the_checkout_is_over(sandbox: Sandbox) -> None:
    made = begun(factories.person().id)
    asked = [minute for minute in range(180) if work(later=minute * MINUTES) == {"top_up_waiting": 1}]
    assert asked[0] == 1
    assert 5 <= len(asked) <= 9
    assert all(later - earlier >= 2 for earlier, later in pairwise(asked))
    requests.post(
        f"{sandbox.stripe}/v1/checkout/sessions/{made.stripe_checkout_session_id}/expire",
        auth=("sk_test_0123456789", ""),
        timeout=5,
    ).raise_for_status()
    wait_for(lambda: statuses() != {})
    work()
    assert top_up(made.id).state == "expired"
    assert work(later=600 * MINUTES) == {}


def test_stripe_down_at_creation_then_the_sweep_goes_on_with_the_same_key(sandbox: Sandbox) -> None:
    person = factories.person()
    sandbox.faults(fail_api={"status": 500, "count": 3})
    with pytest.raises(StripeUnavailable) as failure:
        begun(person.id, key="k")
    assert failure.value.may_have_happened
    assert sandbox.checkouts() == []
    made = only_top_up(person.id)
    assert (made.state, made.checkout_url) == ("created", None)
    assert work(later=MINUTES) == {"top_up_waiting": 1}
    assert top_up(made.id).state == "open"
    again = begun(person.id, key="k")
    assert (again.id, len(sandbox.checkouts())) == (made.id, 1)


def test_without_a_key_of_stripes_nothing_is_decided(sandbox: Sandbox) -> None:
    """A worker that started without the key must not fail what was begun: it goes on once the key is there."""
    person, configured = factories.person(), gateways.current()
    keyless = StripeGateway(secret_key="", api_base=sandbox.stripe, signing_secrets=())
    gateways.configure(replace(configured, stripe=keyless))
    with pytest.raises(StripeUnavailable) as failure:
        begun(person.id, key="k")
    assert not failure.value.may_have_happened
    made = only_top_up(person.id)
    assert work(later=MINUTES) == {"top_up_unanswered": 1}
    assert top_up(made.id).state == "created"
    gateways.configure(configured)
    assert work(later=10 * MINUTES) == {"top_up_waiting": 1}
    assert (top_up(made.id).state, len(sandbox.checkouts())) == ("open", 1)


def test_stripe_answers_too_late_but_has_done_it(sandbox: Sandbox) -> None:
    """The connection is cut after the effect, three times (the SDK's own retries as well): still one session."""
    person = factories.person()
    customers.ensure(person.id, factories.START)
    sandbox.faults(timeout_after_effect=3)
    with pytest.raises(StripeUnavailable):
        begun(person.id)
    assert len(sandbox.checkouts()) == 1
    work(later=MINUTES)
    made = only_top_up(person.id)
    assert made.stripe_checkout_session_id == sandbox.checkouts()[0]["id"]
    assert len(sandbox.checkouts()) == 1


def killed_before_the_outcome(monkeypatch: pytest.MonkeyPatch, person_id: int) -> None:
    """Begin a top-up in a process that dies inside the transaction that would have recorded Stripe's answer."""

    def die(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(wallet.top_ups, "record", die)
        with pytest.raises(SystemExit):
            begun(person_id)


def test_a_crash_between_call_and_outcome_leaves_one_session(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = factories.person()

    killed_before_the_outcome(monkeypatch, person.id)
    made = only_top_up(person.id)
    assert (made.state, made.stripe_checkout_session_id, len(sandbox.checkouts())) == ("created", None, 1)
    work(later=MINUTES)
    made = only_top_up(person.id)
    assert (made.state, made.stripe_checkout_session_id) == ("open", sandbox.checkouts()[0]["id"])
    assert len(sandbox.checkouts()) == 1


def test_an_event_that_comes_before_our_own_record_is_adopted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = factories.person()
    killed_before_the_outcome(monkeypatch, person.id)
    sandbox.pay(sandbox.checkouts()[0]["id"])
    wait_for(lambda: len(statuses()) == 4)
    work()
    made = only_top_up(person.id)
    assert (made.state, made.stripe_checkout_session_id) == ("paid", sandbox.checkouts()[0]["id"])
    assert wallet_of(person.id) == Decimal("25.00")


def test_what_could_never_be_started_is_given_up_before_its_key_could_be_forgotten(sandbox: Sandbox) -> None:
    person = factories.person()
    sandbox.faults(fail_api={"status": 503, "count": 3})
    with pytest.raises(StripeUnavailable):
        begun(person.id)
    assert work(later=timedelta(hours=13)) == {}
    made = only_top_up(person.id)
    assert (made.state, made.failure) == ("failed", top_ups.NOT_STARTED)
    assert sandbox.checkouts() == []


def test_the_same_key_a_day_later_opens_no_checkout_under_a_name_that_stripe_may_have_forgotten(
    sandbox: Sandbox,
) -> None:
    person = factories.person()
    sandbox.faults(fail_api={"status": 500, "count": 3})
    with pytest.raises(StripeUnavailable):
        wallet.start(person.id, Decimal("25.00"), key="k")
    # Nobody swept meanwhile.
    with clock.set_to(clock.now() + timedelta(hours=25)), pytest.raises(StripeRefused) as refused:
        wallet.start(person.id, Decimal("25.00"), key="k")
    assert refused.value.detail == top_ups.NOT_STARTED
    assert sandbox.checkouts() == []


def test_a_refusal_for_good_fails_the_top_up_with_words(sandbox: Sandbox) -> None:
    person = factories.person()
    sandbox.faults(fail_api={"status": 400, "count": 1})
    with pytest.raises(StripeRefused):
        begun(person.id, key="k")
    made = only_top_up(person.id)
    assert (made.state, made.failure) == ("failed", top_ups.REFUSED)
    with pytest.raises(StripeRefused):
        begun(person.id, key="k")
    assert sandbox.checkouts() == []


def test_two_clicks_at_once_are_one_top_up_and_one_checkout(sandbox: Sandbox, app: Flask) -> None:
    person = factories.person()
    made = in_threads(app, 4, lambda _: begun(person.id, key="same"))
    assert len({each.id for each in made}) == 1
    assert {each.checkout_url for each in made} == {sandbox.checkouts()[0]["url"]}
    assert len(sandbox.checkouts()) == 1


def test_the_key_names_one_amount_of_one_person(sandbox: Sandbox) -> None:
    person, other = factories.person(), factories.person()
    first = begun(person.id, "25.00", key="k")
    with pytest.raises(IdempotencyMismatch):
        begun(person.id, "30.00", key="k")
    assert begun(other.id, "30.00", key="k").id != first.id


@pytest.mark.parametrize("amount", ["4.99", "500.01", "999999999.99"])
def test_amounts_beyond_the_limits_write_nothing(sandbox: Sandbox, amount: str) -> None:
    person = factories.person()
    with pytest.raises(InvalidInput) as refused:
        begun(person.id, amount)
    assert refused.value.field == "amount"
    assert top_ups.recent(person.id) == []


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test",
        "wallet",
        "",
        "/a\nb",
        "javascript:alert(1)",
        "/" + "a" * 200,
        "/ü",
    ],
)
def test_nobody_is_sent_to_another_site(sandbox: Sandbox, path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        top_ups.local_path(path)
    assert refused.value.field == "return_path"


def test_a_top_up_of_somebody_else_is_not_found(sandbox: Sandbox) -> None:
    made = begun(factories.person().id)
    with pytest.raises(NotFound):
        top_ups.owned(factories.person().id, made.id)
