"""Runs over the real stand-in: the list is copied once, its fees are booked once, and all cents are told."""

from decimal import Decimal

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import Conflict
from soulseer.gateways import stripe_balance
from soulseer.gateways.stripe import StripeUnavailable
from soulseer.jobs import reconcile
from soulseer.jobs.context import JobContext
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.reconciliation import StripeBalanceTransaction, StripeImport
from soulseer.services import ledger, ledger_check
from tests import factories
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import alerts, begun, statuses, wait_for, work
from tests.reconciliation.conftest import HOURS, Stripe, differences, last_run, only_difference, reconciled


def paid(sandbox: Sandbox, amount: str = "25.00") -> int:
    """A client whose top-up is paid and credited."""
    person = factories.person()
    made = begun(person.id, amount)
    before = len(statuses())
    assert sandbox.pay(made.stripe_checkout_session_id or "").status_code == 200
    wait_for(lambda: len(statuses()) >= before + 4)
    work()
    return person.id


def platform(kind: AccountKind) -> Decimal:
    with transaction():
        return ledger.platform_balance(kind)


def count(model: type) -> int:
    with transaction():
        return int(db.session.scalar(select(func.count()).select_from(model)) or 0)


def test_a_paid_top_up_leaves_no_cent_unexplained(sandbox: Sandbox, stripe: Stripe) -> None:
    paid(sandbox)
    counts = reconciled()
    assert (counts["imported"], counts["booked"], counts["differing"], counts["unexplained"]) == (
        1,
        1,
        0,
        "0.00",
    )
    # 2.9 % and 30 cents of 25.00.
    assert platform(AccountKind.PROCESSOR_FEES) == Decimal("-1.03")
    assert platform(AccountKind.STRIPE_CLEARING) == Decimal("-23.97")
    run = last_run()
    assert (run.gap, run.unexplained, run.unaccounted) == (Decimal(0), Decimal(0), Decimal(0))
    assert run.ledger_balance == run.stripe_available + run.stripe_pending == Decimal("23.97")
    assert stripe.cents() == 2397
    assert differences() == alerts() == []
    assert ledger_check.check() == []


def test_a_run_again_changes_nothing(sandbox: Sandbox, stripe: Stripe) -> None:
    paid(sandbox)
    stripe.move("fees", amount=150)
    stripe.move("payouts", amount=1000)
    reconciled()
    before = count(StripeBalanceTransaction), count(LedgerTransaction)
    for arguments in ({}, {"days": "30"}):
        counts = reconciled(**arguments)
        assert (counts["imported"], counts["booked"], counts["differing"]) == (0, 0, 0)
    assert (count(StripeBalanceTransaction), count(LedgerTransaction)) == before


def test_fees_by_themselves_and_payouts_to_the_bank_are_booked(sandbox: Sandbox, stripe: Stripe) -> None:
    paid(sandbox, "100.00")
    stripe.move("fees", amount=150)
    stripe.move("payouts", amount=5000)
    assert reconciled()["unexplained"] == "0.00"
    assert platform(AccountKind.PROCESSOR_FEES) == Decimal("-4.70")
    assert platform(AccountKind.PLATFORM_BANK) == Decimal("-50.00")
    assert platform(AccountKind.STRIPE_CLEARING) == Decimal("-45.30")
    assert stripe.cents() == 4530
    assert last_run().gap == 0
    assert ledger_check.check() == []


def test_a_run_that_dies_is_gone_on_with(
    sandbox: Sandbox, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the second page: what is stored stays, the next run goes on behind it."""
    for _ in range(11):
        stripe.move("fees", amount=10)
    whole_page = stripe_balance.page
    asked: list[str | None] = []

    def small_page(gateway, since, after, limit=2):  # type: ignore[no-untyped-def]
        asked.append(after)
        if len(asked) == 3:
            raise StripeUnavailable(may_have_happened=False)
        return whole_page(gateway, since, after, limit)

    monkeypatch.setattr(stripe_balance, "page", small_page)
    with pytest.raises(StripeUnavailable):
        reconciled()
    assert count(StripeBalanceTransaction) == 4
    with transaction():
        assert db.session.get_one(StripeImport, "balance_transactions").page_after == asked[2]
    # Meanwhile something happens at Stripe: it is newer than the window, and the next one finds it.
    stripe.move("fees", amount=7)
    counts = reconciled()
    assert asked[3] == asked[2]
    assert counts["unexplained"] == "0.00"
    assert count(StripeBalanceTransaction) == 12
    assert platform(AccountKind.PROCESSOR_FEES) == Decimal("-1.17")
    assert stripe.cents() == -117


def test_a_run_that_dies_between_booking_and_comparing_books_once(
    sandbox: Sandbox, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(sandbox)
    reconcile.import_lines(JobContext(now=clock.now()))
    # The batch is booked, the note of how far it went is lost: keys hold.
    assert reconcile.book(JobContext(now=clock.now())) == 1
    with transaction():
        db.session.get_one(StripeImport, "balance_transactions").booked_through = 0
    assert reconcile.book(JobContext(now=clock.now())) == 0
    assert reconciled()["unexplained"] == "0.00"


def test_what_moves_between_list_and_balance_is_read_again(
    sandbox: Sandbox, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(sandbox)
    ask = stripe_balance.balance
    late = [lambda: stripe.move("fees", amount=20)]

    def balance(*arguments):  # type: ignore[no-untyped-def]
        if late:
            late.pop()()
        return ask(*arguments)

    monkeypatch.setattr(stripe_balance, "balance", balance)
    counts = reconciled()
    assert (counts["imported"], counts["unexplained"]) == (2, "0.00")


def test_two_runs_at_once_copy_and_book_once(sandbox: Sandbox, stripe: Stripe, app: Flask) -> None:
    """Whoever finds that another has read on meanwhile gives up; nothing is there twice."""
    paid(sandbox)
    for _ in range(5):
        stripe.move("fees", amount=10)

    def run(number: int) -> str:
        try:
            return str(reconciled()["unexplained"])
        except Conflict as error:
            return error.code

    said = in_threads(app, 4, run)
    assert set(said) <= {"0.00", "conflict"}
    assert reconciled()["unexplained"] == "0.00"
    assert count(StripeBalanceTransaction) == 6
    assert platform(AccountKind.PROCESSOR_FEES) == Decimal("-1.53")
    assert differences() == []
    assert ledger_check.check() == []


def test_without_stripe_nothing_is_compared(app, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(gateways.current().stripe, "configured", False)
    assert reconciled() == {"skipped": "Stripe is not set up"}


def test_a_line_that_was_never_listed_is_an_alert(sandbox: Sandbox, stripe: Stripe) -> None:
    """Stripe's balance knows more than its list: nothing explains it."""
    paid(sandbox)
    reconciled()
    line = stripe.move("fees", amount=40)
    with sandbox.stand_in.store.transaction() as connection:
        # Older than any window that is still read.
        connection.execute("UPDATE object SET created = created - 864000 WHERE id = ?", (line["id"],))
    assert reconciled()["unexplained"] == "0.40"
    assert last_run().unaccounted == Decimal("-0.40")
    assert alerts() == ["reconciliation_unexplained:"]
    # By hand, with days to look back, it is found.
    assert reconciled(days="30")["unexplained"] == "0.00"


def test_differences_come_and_go_by_themselves(sandbox: Sandbox, stripe: Stripe) -> None:
    """A payment whose webhooks are slow is a matter of timing, and closes once it is credited."""
    person = factories.person()
    made = begun(person.id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "")
    assert reconciled()["unexplained"] == "0.00"
    found = only_difference()
    assert (found.difference_class, found.gap, found.proposal) == ("timing", Decimal("25.00"), None)
    assert last_run().gap == Decimal("25.00")
    assert last_run().explained == Decimal("25.00")
    # The sweep asks Stripe about open top-ups without any event.
    work(later=HOURS)
    assert reconciled()["differing"] == 0
    (closed,) = differences("closed")
    assert (closed.id, closed.resolution, closed.settled_by) == (found.id, "Both sides agree now.", None)
    assert alerts() == []


def test_the_control_pages_refuse_nonsense(sandbox: Sandbox) -> None:
    for path, given in (
        ("payouts", {"amount": 0}),
        ("fees", {}),
        ("charges", {"amount": "5"}),
        ("lines/txn_0", {}),
    ):
        answer = requests.post(f"{sandbox.stripe}/sandbox/balance/{path}", json=given, timeout=5)
        assert answer.status_code in (400, 404)
