"""Payouts over HTTP to the stand-in: sent once whatever fails between the steps; what comes back is available again."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind as A
from soulseer.gateways import stripe_connect
from soulseer.jobs import send_payouts, weekly_payouts
from soulseer.jobs.context import JobContext
from soulseer.models.ledger import LedgerAlert, LedgerTransaction
from soulseer.models.mail import MailMessage
from soulseer.models.people import Person
from soulseer.services import ledger, payout_accounts, payout_rules, payouts
from soulseer.services.payouts import PayoutRefused
from tests.factories import person
from tests.money_in.conftest import in_threads
from tests.payouts.payday import SOON, PaidReader, sweep, weekly
from tests.payouts.world import LATER, Reader, assert_clean


def mails() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(MailMessage.template).order_by(MailMessage.id)))


def alerts() -> list[tuple[str, str]]:
    db.session.rollback()
    return [tuple(row) for row in db.session.execute(select(LedgerAlert.kind, LedgerAlert.reference))]


def test_a_payout_goes_out_and_the_books_say_so(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    assert reader.balances == ("0.00", "0.00", "0.00")
    assert ledger.platform_balance(A.PAYOUTS_IN_TRANSIT) == Decimal("40.00")
    assert_clean()
    assert sweep(payout=str(payout_id)) == {"paid": 1}
    assert sweep() == {}
    (payout,), (transfer,) = reader.payouts, reader.transfers
    assert (payout.state, payout.amount, payout.stripe_transfer_id) == (
        "paid",
        Decimal("40.00"),
        transfer["id"],
    )
    assert (transfer["amount"], transfer["transfer_group"]) == (4000, payouts.reference(payout))
    assert ledger.platform_balance(A.PAYOUTS_IN_TRANSIT) == 0
    assert ledger.platform_balance(A.STRIPE_CLEARING) == Decimal("40.00")
    sent = db.session.scalars(select(LedgerTransaction).where(LedgerTransaction.kind == "payout_sent")).one()
    assert sent.stripe_reference == transfer["id"]
    assert mails() == ["payout_paid"]
    assert_clean()


def test_the_weekly_run_pays_whom_it_can_and_tells_it_dry(sandbox) -> None:
    ready, poor, bare = PaidReader(sandbox, "30.00"), PaidReader(sandbox, "24.99"), Reader()
    bare.earn("90.00")
    bare.release()

    dry = weekly_payouts.run(JobContext(now=LATER, dry_run=True))
    assert dry == {"dry_run": True, "payouts": [{"reader": ready.id, "amount": "30.00"}]}
    assert ready.payouts == []
    assert weekly() == {"begun": 1, "held": 0, "error": 0}
    assert weekly() == {"begun": 0, "held": 0, "error": 0}
    assert [payout.state for payout in ready.payouts] == ["paid"]
    assert (poor.payouts, bare.balances[1]) == ([], "90.00")
    assert_clean()


def test_an_answer_lost_after_the_transfer_is_asked_for_again_by_the_same_key(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    # The SDK itself tries three times.
    sandbox.faults(timeout_after_effect=3)
    reader.begin()
    assert sweep(LATER) == {"unanswered": 1}
    assert [payout.state for payout in reader.payouts] == ["open"]
    assert_clean()
    assert sweep(SOON) == {"paid": 1}
    assert len(reader.transfers) == 1
    assert_clean()


def test_server_errors_leave_it_open_and_it_goes_out_once(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    reader.begin()
    sandbox.faults(fail_api={"status": 500, "count": 3})
    assert sweep(LATER) == {"unanswered": 1}
    # Not due yet: whoever is impatient changes nothing.
    assert sweep(LATER + timedelta(seconds=30)) == {}
    assert sweep(SOON) == {"paid": 1}
    assert len(reader.transfers) == 1


def test_a_refused_payout_is_available_again_and_says_why(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    reader.post("transfers", outcome="refuse")
    reader.begin()
    assert sweep(LATER) == {"failed": 1}
    (payout,) = reader.payouts
    assert (payout.state, payout.failure) == ("failed", payouts.REFUSED)
    assert reader.balances == ("0.00", "40.00", "0.00")
    assert mails() == ["payout_failed"]
    assert_clean()
    reader.post("transfers", outcome="succeed")
    reader.begin(SOON)
    assert sweep(SOON) == {"paid": 1}
    assert [row.state for row in reader.payouts] == ["failed", "paid"]
    assert_clean()


def test_a_short_balance_is_said_to_the_reader_and_to_staff(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    reader.post("transfers", outcome="balance_insufficient")
    payout_id = reader.begin()
    assert sweep(LATER) == {"failed": 1}
    assert reader.payouts[0].failure == payouts.NO_FUNDS
    assert alerts() == [("stripe_balance_short", f"payout:{payout_id}")]


def test_a_second_click_is_the_same_payout(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    first = reader.begin(key="click")
    assert reader.begin(key="click") == first
    with pytest.raises(PayoutRefused, match="on its way"):
        reader.begin(key="other")
    assert sweep() == {"paid": 1}
    assert reader.begin(key="click") == first


def test_ten_clicks_at_once_make_one_payout(app, sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")

    def click(number: int) -> int | None:
        try:
            return reader.begin(key=f"click-{number}")
        except PayoutRefused:
            return None

    made = in_threads(app, 10, click)
    assert sum(found is not None for found in made) == 1
    assert len(reader.payouts) == 1
    assert_clean()


def test_four_workers_at_once_send_once(app, sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()

    def work(_: int) -> str | None:
        # Each has claimed it, as after a claim that ran out.
        with transaction():
            payout = payouts.claim(SOON + timedelta(hours=_), payout_id)
        if payout is None:
            return None
        transfer = payouts.ask_stripe(payout, SOON)
        assert transfer is not None
        with transaction():
            return payouts.record(payout_id, transfer, SOON).outcome.value

    came_to = in_threads(app, 4, work)
    assert came_to.count("paid") == 1
    assert len(reader.transfers) == 1
    assert_clean()


@pytest.mark.parametrize("seam", ["before", "after"])
def test_a_worker_that_dies_around_the_call_is_made_good_by_the_sweep(sandbox, monkeypatch, seam) -> None:
    reader = PaidReader(sandbox, "40.00")
    reader.begin()
    real = stripe_connect.create_transfer

    def dying(*args):
        if seam == "after":
            real(*args)
        raise RuntimeError("killed")

    monkeypatch.setattr(stripe_connect, "create_transfer", dying)
    assert sweep(LATER) == {"error": 1}
    assert reader.payouts[0].state == "open"
    monkeypatch.setattr(stripe_connect, "create_transfer", real)
    assert sweep(SOON) == {"paid": 1}
    assert len(reader.transfers) == 1
    assert_clean()


def test_a_crash_while_recording_is_made_good_by_the_sweep(sandbox, monkeypatch) -> None:
    reader = PaidReader(sandbox, "40.00")
    reader.begin()
    monkeypatch.setattr(payouts, "_mail", lambda *args: 1 / 0)
    assert sweep(LATER) == {"error": 1}
    assert reader.payouts[0].state == "open"
    assert ledger.platform_balance(A.PAYOUTS_IN_TRANSIT) == Decimal("40.00")
    monkeypatch.undo()
    assert sweep(SOON) == {"paid": 1}
    assert len(reader.transfers) == 1
    assert_clean()


def test_another_account_in_flight_changes_nothing_of_the_payout(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    sandbox.faults(timeout_after_effect=3)
    reader.begin()
    assert sweep(LATER) == {"unanswered": 1}
    first = reader.account
    with transaction():
        row = payout_accounts.locked(reader.id)
        assert row is not None
        row.stripe_account_id = "acct_another"
    assert sweep(SOON) == {"paid": 1}
    assert [transfer["destination"] for transfer in reader.transfers] == [first]
    assert_clean()


def test_nobody_sends_it_after_the_key_may_be_forgotten(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    late = LATER + timedelta(hours=13)
    assert sweep(late) == {"failed": 1}
    assert reader.transfers == []
    assert reader.payouts[0].failure == payouts.NOT_SENT
    assert reader.balances == ("0.00", "40.00", "0.00")
    assert alerts() == [("payout_given_up", f"payout:{payout_id}")]
    assert_clean()


def test_what_was_sent_after_all_is_found_by_its_group(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    sandbox.faults(timeout_after_effect=3)
    reader.begin()
    assert sweep(LATER) == {"unanswered": 1}
    assert sweep(LATER + timedelta(hours=13)) == {"paid": 1}
    assert len(reader.transfers) == 1
    assert_clean()


def test_a_transfer_of_a_payout_that_was_given_up_is_an_alert_and_moves_nothing(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    payout = reader.payouts[0]
    with transaction():
        payouts.record_failure(payout_id, payouts.NOT_SENT, LATER)
    transfer = payouts.ask_stripe(payout, LATER)
    assert transfer is not None
    with transaction():
        assert payouts.record(payout_id, transfer, LATER).outcome == "mismatch"
    assert alerts() == [("payout_mismatch", f"payout:{payout_id}")]
    assert reader.balances == ("0.00", "40.00", "0.00")
    assert_clean()


def test_a_transfer_that_disagrees_is_never_booked(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    order = stripe_connect.TransferOrder(
        3999, "USD", reader.account, payouts.reference(reader.payouts[0]), {}
    )
    wrong = stripe_connect.create_transfer(gateways.current().stripe, order, "by-hand")
    with transaction():
        recorded = payouts.record(payout_id, wrong, LATER)
    assert (recorded.outcome, "amount: recorded 4000" in recorded.detail) == ("mismatch", True)
    assert reader.payouts[0].state == "open"
    assert_clean()


@pytest.mark.parametrize(
    ("change", "obstacle", "words"),
    [
        ("paused", "paused", "We ask you for a document."),
        ("disabled", "disabled", "Stripe needs details from you"),
        ("unfinished", "details_needed", "not finished"),
        ("owes", "owed", "You owe \\$90.00"),
        ("suspended", "suspended", "suspended"),
        ("poor", "below_minimum", "begin at \\$25.00"),
    ],
)
def test_what_stands_in_the_way_is_said(sandbox, change, obstacle, words) -> None:
    reader = PaidReader(sandbox, "40.00")
    staff = person("finance").id
    if change == "paused":
        with transaction():
            payout_accounts.pause(reader.id, words, LATER, actor_id=staff)
    elif change == "disabled":
        reader.post(f"accounts/{reader.account}/require", past_due=["external_account"])
        reader.refresh()
    elif change == "unfinished":
        with transaction():
            payout_accounts.locked(reader.id).details_submitted = False
    elif change == "owes":
        reader.take_back("130.00")
    elif change == "suspended":
        with transaction():
            db.session.get_one(Person, reader.id).suspended_at = LATER
    elif change == "poor":
        reader.take_back("15.01")
    with pytest.raises(PayoutRefused, match=words) as refused:
        reader.begin()
    assert refused.value.extra["obstacle"] == obstacle
    found = payout_rules.standing(reader.id, payout_accounts.of(reader.id))
    assert found.obstacle == obstacle
    assert weekly()["begun"] == 0
    assert reader.payouts == []


def test_what_is_owed_is_kept_from_a_payout_that_came_back(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    reader.begin()
    reader.take_back("10.00")
    reader.post("transfers", outcome="refuse")
    assert reader.balances == ("0.00", "0.00", "-10.00")
    assert sweep(LATER) == {"failed": 1}
    assert reader.balances == ("0.00", "30.00", "0.00")
    assert_clean()


def test_dry_runs_and_arguments(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    dry = send_payouts.run(JobContext(now=LATER, dry_run=True))
    assert dry == {
        "dry_run": True,
        "payouts": [{"payout": payout_id, "reader": reader.id, "amount": "40.00"}],
    }
    assert sweep(LATER, payout=str(payout_id + 1)) == {}
    assert reader.payouts[0].state == "open"


def test_a_payout_that_was_begun_is_on_the_queue(sandbox) -> None:
    payout_id = PaidReader(sandbox, "40.00").begin()
    keys = [key.decode() for key in gateways.current().queue.redis.keys("rq:job:*")]
    assert f"rq:job:send_payouts-{payout_id}" in keys
