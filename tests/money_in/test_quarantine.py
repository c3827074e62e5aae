"""What does not fit is set aside for a person and never credited; what is not known yet waits."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from soulseer import gateways
from soulseer.gateways.stripe import CheckoutSession, StripeGateway, StripeUnavailable
from soulseer.services import crediting, top_ups, webhooks
from tests import factories
from tests.money_in import events
from tests.money_in.conftest import NEW_SECRET, SECRET_KEY, Sandbox
from tests.money_in.events import (
    alerts,
    as_event,
    begun,
    deliver,
    postings,
    statuses,
    top_up,
    wallet_of,
    work,
)

HOURS = timedelta(hours=1)


def paid_checkout(sandbox: Sandbox, amount: str = "25.00") -> tuple[int, dict[str, Any]]:
    """Somebody's paid Checkout session, whose own webhooks are lost: (person's id, session)."""
    person = factories.person()
    made = begun(person.id, amount)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "").raise_for_status()
    return person.id, next(c for c in sandbox.checkouts() if c["id"] == made.stripe_checkout_session_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_total": 250_000},
        {"amount_total": 2500.0},
        {"amount_total": True},
        {"amount_total": "2500"},
        {"currency": "eur"},
        {"currency": "USD"},
        {"client_reference_id": "top-up:1:1"},
        {"client_reference_id": 1},
        {"metadata": {"top_up_id": "999", "person_id": "1"}},
        {"metadata": {"person_id": "999"}},
        {"metadata": ["top_up_id"]},
        {"event_livemode": True},
    ],
    ids=str,
)
def test_an_event_that_disagrees_is_quarantined_and_the_truth_still_credited_later(
    sandbox: Sandbox, changes: dict[str, Any]
) -> None:
    person_id, checkout = paid_checkout(sandbox)
    deliver(sandbox, as_event(checkout, "evt_forged", **changes))
    assert work() == {"quarantined": 1}
    assert wallet_of(person_id) == 0
    assert postings() == []
    row = events.row_of("evt_forged")
    assert row.error
    assert alerts() == ["webhook_quarantined:evt_forged"]
    deliver(sandbox, as_event(checkout, "evt_true"))
    assert work() == {"processed": 1}
    assert wallet_of(person_id) == Decimal("25.00")


def test_another_persons_checkout_under_my_metadata_credits_nobody(sandbox: Sandbox) -> None:
    mine = begun(factories.person().id)
    other_id, checkout = paid_checkout(sandbox)
    forged = {
        "client_reference_id": top_ups.reference(mine),
        "metadata": {"top_up_id": str(mine.id), "person_id": str(mine.person_id)},
    }
    deliver(sandbox, as_event(checkout, "evt_forged", **forged))
    assert work() == {"quarantined": 1}
    assert (wallet_of(mine.person_id), wallet_of(other_id)) == (0, 0)


def test_a_foreign_checkout_session_is_quarantined(sandbox: Sandbox) -> None:
    """Made with our own Stripe key, paid, but announced by no row of ours."""
    person = factories.person()
    answer = requests.post(
        f"{sandbox.stripe}/v1/checkout/sessions",
        auth=(SECRET_KEY, ""),
        data={
            "mode": "payment",
            "success_url": "http://127.0.0.1/",
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "usd",
            "line_items[0][price_data][unit_amount]": "90000",
            "line_items[0][price_data][product_data][name]": "Gold",
            "client_reference_id": "top-up:1:1",
            "metadata[top_up_id]": "1",
            "metadata[person_id]": str(person.id),
        },
        timeout=5,
    )
    answer.raise_for_status()
    sandbox.pay(answer.json()["id"]).raise_for_status()
    events.wait_for(lambda: len(statuses()) == 4)
    work()
    assert sorted(statuses().values()) == ["ignored", "ignored", "ignored", "quarantined"]
    assert wallet_of(person.id) == 0
    assert len(alerts()) == 1


@pytest.mark.parametrize("checkout_id", ["cs_test_nobody", "pi_1", "", None, 7, "cs_\0", "cs_test_'; --"])
def test_ids_of_nothing_are_quarantined(sandbox: Sandbox, checkout_id: object) -> None:
    deliver(
        sandbox,
        as_event({"id": checkout_id, "object": "checkout.session", "payment_status": "paid"}, "evt_1"),
    )
    assert work() == {"quarantined": 1}
    assert postings() == []


def test_an_event_that_says_paid_while_stripe_says_open_is_quarantined(sandbox: Sandbox) -> None:
    made = begun(factories.person().id)
    deliver(sandbox, as_event(sandbox.checkouts()[0], "evt_1", payment_status="paid", status="complete"))
    assert work() == {"quarantined": 1}
    assert events.row_of("evt_1").error == "the event says paid, Stripe says open, unpaid"
    assert (top_up(made.id).state, wallet_of(made.person_id)) == ("open", 0)
    assert alerts() == ["webhook_quarantined:evt_1"]


def test_a_session_whose_amount_changed_at_stripe_is_never_credited(sandbox: Sandbox) -> None:
    """The event says nothing of the amount; Stripe, asked, says another one than we recorded."""
    person_id, checkout = paid_checkout(sandbox)
    with sandbox.stand_in.work() as books:
        books.save({**books.get("checkout.session", checkout["id"]), "amount_total": 1})
    said = {name: value for name, value in checkout.items() if name not in ("amount_total", "metadata")}
    deliver(sandbox, as_event(said, "evt_1"))
    assert work() == {"quarantined": 1}
    assert "amount: recorded 2500, at Stripe 1" in (events.row_of("evt_1").error or "")
    assert (wallet_of(person_id), len(alerts())) == (0, 1)
    assert work(later=24 * HOURS) == {}


def test_other_types_are_ignored_with_a_note(sandbox: Sandbox) -> None:
    deliver(sandbox, as_event({"id": "tok_1", "amount": 1}, "evt_1", "source.chargeable"))
    assert work() == {"ignored": 1}
    assert events.row_of("evt_1").error == "nothing is done with this type of event yet"


def test_a_live_event_at_a_test_key_is_quarantined_whatever_its_type(sandbox: Sandbox) -> None:
    deliver(sandbox, as_event({"id": "ch_1"}, "evt_1", "charge.refunded", event_livemode=True))
    assert work() == {"quarantined": 1}


class SaysOf(StripeGateway):
    """A gateway that answers what it is told: for ways to pay that the stand-in does not have."""

    def __init__(self, answer: CheckoutSession | Exception) -> None:
        super().__init__(secret_key=SECRET_KEY, api_base="", signing_secrets=(NEW_SECRET,))
        self.answer = answer

    def retrieve_checkout(self, checkout_session_id: str) -> CheckoutSession:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def stripe_says(sandbox: Sandbox) -> Iterator[Any]:
    """Set what Stripe answers from now on, on top of what it says of the session now."""
    before = gateways.current()

    def say(checkout_id: str, **changes: Any) -> None:
        answer = replace(before.stripe.retrieve_checkout(checkout_id), **changes)
        gateways.configure(replace(before, stripe=SaysOf(answer)))

    def fail(error: Exception) -> None:
        gateways.configure(replace(before, stripe=SaysOf(error)))

    say.fail = fail  # type: ignore[attr-defined]
    say.truth = lambda: gateways.configure(before)  # type: ignore[attr-defined]
    yield say
    gateways.configure(before)


PENDING = {"status": "complete", "payment_intent_id": "pi_1", "payment_intent_status": "processing"}


def test_completed_but_unpaid_waits_and_is_credited_when_it_succeeds(
    sandbox: Sandbox, stripe_says: Any
) -> None:
    made = begun(factories.person().id)
    checkout_id = made.stripe_checkout_session_id or ""
    (checkout,) = sandbox.checkouts()
    stripe_says(checkout_id, **PENDING)
    deliver(sandbox, as_event(checkout, "evt_1", status="complete"))
    assert work() == {"processed": 1}
    assert (top_up(made.id).state, wallet_of(made.person_id)) == ("open", 0)
    stripe_says.truth()
    stripe_says(checkout_id, **PENDING | {"payment_status": "paid", "payment_intent_status": "succeeded"})
    deliver(
        sandbox,
        as_event(
            checkout,
            "evt_2",
            "checkout.session.async_payment_succeeded",
            status="complete",
            payment_status="paid",
        ),
    )
    assert work() == {"processed": 1}
    assert (top_up(made.id).state, wallet_of(made.person_id)) == ("paid", Decimal("25.00"))
    assert alerts() == []


@pytest.mark.parametrize("succeeds_after_all", [False, True])
def test_failed_later(sandbox: Sandbox, stripe_says: Any, succeeds_after_all: bool) -> None:
    made = begun(factories.person().id)
    checkout_id = made.stripe_checkout_session_id or ""
    (checkout,) = sandbox.checkouts()
    stripe_says(checkout_id, **PENDING | {"payment_intent_status": "requires_payment_method"})
    deliver(sandbox, as_event(checkout, "evt_1", "checkout.session.async_payment_failed", status="complete"))
    assert work() == {"processed": 1}
    failed = top_up(made.id)
    assert (failed.state, failed.failure, wallet_of(made.person_id)) == ("failed", top_ups.NOT_PAID, 0)
    assert work(later=24 * HOURS) == {}
    if succeeds_after_all:
        stripe_says.truth()
        sandbox.faults(drop_webhooks=100)
        sandbox.pay(checkout_id)
        deliver(sandbox, as_event(sandbox.checkouts()[0], "evt_2"))
        assert work() == {"processed": 1}
        assert (top_up(made.id).failure, wallet_of(made.person_id)) == (None, Decimal("25.00"))


def test_a_failure_is_tried_again_with_growing_pauses_and_stops_no_other(
    sandbox: Sandbox, stripe_says: Any
) -> None:
    person_id, checkout = paid_checkout(sandbox)
    stripe_says.fail(StripeUnavailable("away", may_have_happened=True))
    deliver(sandbox, as_event(checkout, "evt_1"))
    deliver(sandbox, as_event({"id": "ch_1"}, "evt_2", "charge.succeeded"))
    assert work() == {"failed": 1, "ignored": 1}
    assert events.row_of("evt_1").error == "StripeUnavailable: away"
    assert work() == {}
    stripe_says.truth()
    assert work(later=timedelta(seconds=31)) == {"processed": 1}
    assert wallet_of(person_id) == Decimal("25.00")
    assert events.row_of("evt_1").error is None


def test_a_bad_row_is_given_up_with_an_alert_and_can_be_tried_by_hand(
    sandbox: Sandbox, stripe_says: Any
) -> None:
    person_id, checkout = paid_checkout(sandbox)
    stripe_says.fail(ValueError("a fault of ours"))
    deliver(sandbox, as_event(checkout, "evt_1"))
    for run in range(webhooks.MOST_ATTEMPTS):
        # The sweep asks about the top-up as well, once that is due.
        assert work(later=run * 7 * HOURS)["error"] == (2 if run else 1)
    assert work(later=1000 * HOURS) == {"error": 1}
    row = events.row_of("evt_1")
    assert (row.status, row.attempts, row.next_attempt_at) == ("failed", webhooks.MOST_ATTEMPTS, None)
    assert alerts() == ["webhook_failed:evt_1"]
    stripe_says.truth()
    assert work(event=str(row.id)) == {"processed": 1}
    assert wallet_of(person_id) == Decimal("25.00")


def test_a_worker_that_died_with_an_event_in_hand_gives_it_up(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_id, checkout = paid_checkout(sandbox)
    deliver(sandbox, as_event(checkout, "evt_1"))

    def die(_task: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "look_up", die)
        with pytest.raises(SystemExit):
            work()
    assert work() == {}
    assert work(later=webhooks.LEASE)["processed"] == 1
    assert wallet_of(person_id) == Decimal("25.00")


def test_a_worker_killed_inside_the_credit_leaves_nothing_half_done(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_id, checkout = paid_checkout(sandbox)
    deliver(sandbox, as_event(checkout, "evt_1"))

    def die(*_: object, **__: object) -> None:
        raise SystemExit("killed after the posting, before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(crediting.audit, "record", die)
        with pytest.raises(SystemExit):
            work()
    assert (wallet_of(person_id), postings(), statuses()) == (0, [], {"evt_1": "received"})
    assert work(later=webhooks.LEASE)["processed"] == 1
    assert (wallet_of(person_id), len(postings())) == (Decimal("25.00"), 1)


def test_a_checkout_that_stripe_has_forgotten_fails_with_an_alert(sandbox: Sandbox) -> None:
    made = begun(factories.person().id)
    with sandbox.stand_in.store.transaction() as connection:
        connection.execute("DELETE FROM object WHERE id = ?", (made.stripe_checkout_session_id,))
    assert work(later=timedelta(minutes=2)) == {"top_up_failed": 1}
    assert top_up(made.id).state == "failed"
    assert alerts() == [f"top_up_unknown_at_stripe:top_up:{made.id}"]


def test_a_dry_run_says_what_is_due_and_changes_nothing(sandbox: Sandbox) -> None:
    from soulseer.domain import clock
    from soulseer.jobs import process_stripe_webhook
    from soulseer.jobs.context import JobContext

    deliver(sandbox, as_event({"id": "ch_1"}, "evt_1", "charge.succeeded"))
    answer = process_stripe_webhook.run(JobContext(now=clock.now(), dry_run=True))
    assert answer == {"dry_run": True, "events": ["evt_1"]}
    assert statuses() == {"evt_1": "received"}
