"""Everything that moves money, over the real stand-in, ends with zero unexplained cents; also when no webhook ever came."""

from datetime import timedelta
from decimal import Decimal

import pytest
import requests

from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind
from soulseer.jobs import process_stripe_webhook, pull_stripe_events
from soulseer.jobs.context import JobContext
from soulseer.services import ledger_check, payouts
from tests import factories
from tests.disputes import bank
from tests.money_in.conftest import Sandbox
from tests.money_in.events import alerts, begun, wallet_of
from tests.payouts import payday
from tests.reconciliation.conftest import HOURS, Stripe, differences, last_run, reconciled
from tests.reconciliation.test_run import platform
from tests.refunds import steps
from tests.subscriptions.conftest import member  # noqa: F401 - a fixture

LATER = 2 * HOURS


def settled(sandbox: Sandbox) -> None:
    bank.catch_up(sandbox, timedelta(minutes=3))


def test_a_life_of_all_movements_agrees_to_the_cent(sandbox: Sandbox, stripe: Stripe, member) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    client, staff = factories.person(), factories.person("support")
    first = bank.paid(sandbox, client.id, "50.00")
    second = bank.paid(sandbox, client.id, "25.00")
    third = bank.paid(sandbox, client.id, "30.00")
    bank.spend(client.id, "40.00")

    # Given back in part to the card, once more and sent back by the bank, and once in Stripe's own dashboard.
    steps.asked(steps.Source(steps.TOP_UP, first.id), "10.00", staff.id)
    steps.sent()
    settled(sandbox)
    gone = steps.asked(steps.Source(steps.TOP_UP, first.id), "5.00", staff.id)
    steps.sent()
    settled(sandbox)
    with steps.transaction():
        refund_id = steps.db.session.get_one(steps.Refund, gone.id).stripe_refund_id
    answer = requests.post(
        f"{sandbox.stripe}/sandbox/refunds/{refund_id}/fail",
        json={"reason": "lost_or_stolen_card"},
        timeout=5,
    )
    answer.raise_for_status()
    bank.give_back(sandbox, first, 300)
    settled(sandbox)

    # Asked back by banks: won, lost with more spent than is there.
    won = bank.ask_back(sandbox, second)
    settled(sandbox)
    bank.bank(sandbox, won, "win")
    settled(sandbox)
    lost = bank.ask_back(sandbox, third)
    settled(sandbox)
    bank.bank(sandbox, lost, "lose")
    settled(sandbox)

    # A reader is paid, and a part of it comes back.
    reader = payday.PaidReader(sandbox, "40.00")
    reader.begin()
    payday.sweep()
    reader.post(f"transfers/{reader.transfers[0]['id']}/reverse", amount=1500)
    settled(sandbox)
    payday.events()

    # Plans are paid for; Stripe takes a fee of its own and pays out to the bank.
    member("reader").subscribe("enterprise")
    stripe.move("fees", amount=275)
    stripe.move("payouts", amount=20_000)

    counts = reconciled(LATER)
    assert [(row.difference_class, row.words) for row in differences()] == []
    assert (counts["differing"], counts["unexplained"]) == (0, "0.00")
    run = last_run()
    assert (run.gap, run.unaccounted) == (Decimal(0), Decimal(0))
    assert -platform(AccountKind.STRIPE_CLEARING) == Decimal(stripe.cents()) / 100
    assert platform(AccountKind.PROCESSOR_FEES) < Decimal("-2.75")
    # A refund in the dashboard is always put before a person.
    assert [kind for kind in alerts() if not kind.startswith("refund_adopted")] == []
    assert ledger_check.check() == []
    assert reconciled(LATER, days="30")["differing"] == 0


def test_an_endpoint_that_was_down_all_the_time_is_repaired_by_the_pull(
    sandbox: Sandbox, stripe: Stripe
) -> None:
    client = factories.person()
    sandbox.faults(drop_webhooks=10_000)
    made = [begun(client.id, amount) for amount in ("50.00", "25.00")]
    for each in made:
        sandbox.pay(each.stripe_checkout_session_id or "").raise_for_status()
    asked_back = bank.ask_back(sandbox, made[1])
    bank.bank(sandbox, asked_back, "win")
    bank.give_back(sandbox, made[0], 1000)
    reconciled(LATER)
    # The dispute came and went: both sides of it are zero. Two payments, one of them given back in part, are missing.
    found = [(row.difference_class, row.gap) for row in differences()]
    assert sorted(found) == [("missing_webhook", Decimal("25.00")), ("missing_webhook", Decimal("40.00"))]
    assert wallet_of(client.id) == 0

    pull_stripe_events.run(JobContext(now=clock.now()))
    for minutes in range(0, 60, 10):
        process_stripe_webhook.run(JobContext(now=clock.now() + timedelta(minutes=minutes)))
    counts = reconciled(LATER)
    assert [(row.difference_class, row.words) for row in differences()] == []
    assert counts["unexplained"] == "0.00"
    assert wallet_of(client.id) == Decimal("65.00")
    assert last_run().gap == 0
    assert ledger_check.check() == []


def test_a_payout_whose_transfer_is_not_recorded_yet_is_no_orphan(
    sandbox: Sandbox, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe has sent it, the worker died before it could say so: timing, until the sweep has asked."""
    reader = payday.PaidReader(sandbox, "40.00")
    reader.begin()
    with monkeypatch.context() as killed:
        killed.setattr(payouts, "record", _die)
        with pytest.raises(KeyboardInterrupt):
            payday.sweep()
    assert len(reader.transfers) == 1
    reconciled(LATER)
    assert [(row.difference_class, row.gap) for row in differences()] == [("timing", Decimal("-40.00"))]
    payday.sweep(payday.SOON + HOURS)
    assert reconciled(LATER)["differing"] == 0
    assert ledger_check.check() == []


def _die(*_: object) -> None:
    raise KeyboardInterrupt
