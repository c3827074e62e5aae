"""Stripe's events about accounts and transfers: hints, in any order, any number of times; Stripe's own word counts."""

import random
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind as A
from soulseer.models.ledger import LedgerAlert, LedgerTransaction
from soulseer.models.mail import MailMessage
from soulseer.models.payments import WebhookEvent
from soulseer.models.payouts import PayoutReversal
from soulseer.services import ledger, payout_accounts, payout_rules, payouts
from tests.factories import person
from tests.money_in.events import as_event, deliver, wait_for
from tests.payouts.payday import SOON, PaidReader, events, sweep
from tests.payouts.world import LATER, assert_clean


def arrived(kind: str, count: int = 1) -> None:
    """Wait until the courier has brought so many events of a type."""

    def there() -> bool:
        db.session.rollback()
        found = db.session.scalars(select(WebhookEvent.id).where(WebhookEvent.type == kind)).all()
        return len(found) >= count

    wait_for(there)


def statuses(kind: str) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(WebhookEvent.status).where(WebhookEvent.type == kind)))


def failed_movements() -> list[str]:
    db.session.rollback()
    query = select(LedgerTransaction.idempotency_key).where(LedgerTransaction.kind == "payout_failed")
    return list(db.session.scalars(query.order_by(LedgerTransaction.id)))


def paid(sandbox) -> PaidReader:
    reader = PaidReader(sandbox, "40.00")
    reader.begin()
    assert sweep()["paid"] == 1
    return reader


def test_a_transfer_that_is_reversed_comes_back_once(sandbox) -> None:
    reader = paid(sandbox)
    sandbox.faults(duplicate_webhooks=1)
    reader.post(f"transfers/{reader.transfers[0]['id']}/reverse")
    arrived("transfer.reversed")
    events()
    events()
    (payout,) = reader.payouts
    assert (payout.state, payout.reversed_amount) == ("reversed", Decimal("40.00"))
    assert reader.balances == ("0.00", "40.00", "0.00")
    assert failed_movements() == [f"payout:{payout.id}:reversed:4000"]
    assert ledger.platform_balance(A.STRIPE_CLEARING) == 0
    found = payout_rules.standing(reader.id, payout_accounts.of(reader.id))
    assert (found.obstacle, found.words) == ("paused", payouts.CAME_BACK)
    db.session.rollback()
    assert "payouts_paused" in list(db.session.scalars(select(MailMessage.template)))
    assert_clean()
    staff = person("finance").id
    with transaction():
        payout_accounts.resume(reader.id, staff, "The bank account was mended.", SOON)
    reader.begin(SOON)
    assert sweep(SOON + timedelta(minutes=1))["paid"] == 1
    assert [row.state for row in reader.payouts] == ["reversed", "paid"]
    assert len(reader.transfers) == 2
    assert_clean()


def test_parts_come_back_each_once_whatever_order_they_are_told_in(sandbox) -> None:
    reader = paid(sandbox)
    transfer = reader.transfers[0]["id"]
    for cents in (1000, 500):
        reader.post(f"transfers/{transfer}/reverse", amount=cents)
    told = sandbox.events("transfer.reversed")
    for number, event in enumerate([*told[::-1], *told]):
        deliver(sandbox, as_event(event["data"]["object"], f"evt_again{number}", "transfer.reversed"))
    events()
    assert reader.payouts[0].reversed_amount == Decimal("15.00")
    assert reader.payouts[0].state == "paid"
    assert reader.balances == ("0.00", "15.00", "0.00")
    reader.post(f"transfers/{transfer}/reverse", amount=2500)
    arrived("transfer.reversed", 7)
    events()
    assert reader.payouts[0].state == "reversed"
    assert reader.balances == ("0.00", "40.00", "0.00")
    with transaction():
        assert sum(db.session.scalars(select(PayoutReversal.amount))) == Decimal("40.00")
    assert_clean()


def test_an_event_that_comes_before_the_record_records_it(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    sandbox.faults(timeout_after_effect=3)
    reader.begin()
    assert sweep(LATER) == {"unanswered": 1}
    reader.post(f"transfers/{reader.transfers[0]['id']}/reverse", amount=1500)
    arrived("transfer.created")
    arrived("transfer.reversed")
    events()
    (payout,) = reader.payouts
    assert (payout.state, payout.reversed_amount) == ("paid", Decimal("15.00"))
    assert sweep().get("paid") is None
    assert len(reader.transfers) == 1
    assert_clean()


def test_an_event_that_lies_moves_nothing(sandbox) -> None:
    reader = paid(sandbox)
    told = sandbox.events("transfer.created")[0]["data"]["object"]
    lie = as_event(told, "evt_lie", "transfer.reversed", amount_reversed=4000, reversed=True)
    deliver(sandbox, lie)
    events()
    assert reader.payouts[0].reversed_amount == 0
    assert reader.balances == ("0.00", "0.00", "0.00")
    assert_clean()


def test_a_transfer_of_no_payout_is_put_before_a_person(sandbox) -> None:
    reader = PaidReader(sandbox)
    stray = {"id": "tr_stray", "object": "transfer", "amount": 4000, "destination": reader.account}
    deliver(sandbox, as_event(stray, "evt_stray", "transfer.created"))
    deliver(sandbox, as_event({**stray, "transfer_group": "payout:7:1"}, "evt_foreign", "transfer.created"))
    deliver(sandbox, as_event({"object": "transfer"}, "evt_none", "transfer.reversed"))
    events()
    assert {*statuses("transfer.created"), *statuses("transfer.reversed")} == {"quarantined"}
    db.session.rollback()
    assert list(db.session.scalars(select(LedgerAlert.kind).distinct())) == ["webhook_quarantined"]


def test_account_events_are_kept_and_told_by_mail_once(sandbox) -> None:
    reader = PaidReader(sandbox, "40.00")
    reader.post(f"accounts/{reader.account}/require", currently_due=["individual.verification.document"])
    arrived("account.updated", 2)
    events()
    events()
    account = payout_accounts.of(reader.id)
    assert account is not None
    assert (account.currently_due, account.transfers_enabled) == (["individual.verification.document"], True)
    db.session.rollback()
    (mail,) = db.session.scalars(select(MailMessage))
    assert mail.template == "payout_requirements"
    assert mail.values["needed"] == "- A photo of your passport, identity card or driving licence"
    reader.post(f"accounts/{reader.account}/require", past_due=["individual.verification.document"])
    arrived("account.updated", 3)
    events()
    assert payout_rules.standing(reader.id, payout_accounts.of(reader.id)).obstacle == "disabled"
    db.session.rollback()
    assert len(db.session.scalars(select(MailMessage)).all()) == 1
    reader.post(f"accounts/{reader.account}/require")
    arrived("account.updated", 4)
    events()
    assert payout_rules.standing(reader.id, payout_accounts.of(reader.id)).obstacle is None


def test_an_account_whose_opening_is_not_recorded_yet_waits(sandbox) -> None:
    other = PaidReader(sandbox)
    from tests.payouts.world import Reader

    reader = Reader()
    with transaction():
        begun = payout_accounts.begin(reader.id, LATER)
    told = payout_accounts.ask_stripe(begun, None)
    other.post(f"accounts/{told.id}/onboard")
    arrived("account.updated", 2)
    assert events()["later"] == 1
    with transaction():
        payout_accounts.record(reader.id, told, LATER)
    events(SOON + timedelta(hours=8))
    account = payout_accounts.of(reader.id)
    assert account is not None
    assert account.transfers_enabled


def test_shuffled_and_doubled_events_come_to_the_same_books(sandbox) -> None:
    reader = paid(sandbox)
    transfer = reader.transfers[0]["id"]
    for cents in (100, 200, 300, 400):
        reader.post(f"transfers/{transfer}/reverse", amount=cents)
    copies = [*sandbox.events("transfer.reversed"), *sandbox.events("transfer.created")] * 5
    random.Random(7).shuffle(copies)
    for number, event in enumerate(copies):
        deliver(sandbox, as_event(event["data"]["object"], f"evt_copy{number}", event["type"]))
    events()
    assert reader.payouts[0].reversed_amount == Decimal("10.00")
    assert reader.balances == ("0.00", "10.00", "0.00")
    assert_clean()
