"""While spending is stopped: no reading begins or goes on, a live one is ended at once, and pages say why."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import SpendingFrozen
from soulseer.domain.transfers import TransferKind
from soulseer.gateways.stripe_disputes import StripeDispute
from soulseer.jobs import settle_disputes
from soulseer.jobs.context import JobContext
from soulseer.models.disputes import Dispute, SpendingHold
from soulseer.models.payments import TopUp
from soulseer.models.people import Person
from soulseer.services import dispute_events, disputes, frozen_readings, holds, ledger, readings
from soulseer.services.mail_texts import write
from soulseer.services.stripe_events import EventInHand, Verdict
from tests import factories
from tests.disputes.bank import clean, standing
from tests.factories import START
from tests.readings.room import Room, at
from tests.readings.test_api import Caller, Scene


def topped_up(person_id: int, amount: str = "25.00", name: str = "1") -> None:
    """A credited top-up, without Stripe."""
    with transaction():
        wallet = ledger.account_id(AccountKind.CLIENT_WALLET, person_id)
        row = TopUp(
            person_id=person_id, account_id=wallet, amount=Decimal(amount), state="paid", created_at=START
        )
        row.paid_at, row.stripe_checkout_session_id, row.stripe_payment_intent_id = (
            START,
            f"cs_{name}",
            f"pi_{name}",
        )
        db.session.add(row)
        postings = [
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), -Decimal(amount)),
            ledger.Posting(wallet, Decimal(amount)),
        ]
        ledger.post(TransferKind.TOP_UP, f"top-up:cs_{name}", postings, START)
        holds.pay_debt(person_id, START)


def word(status: str = "needs_response", cents: int = 2500, name: str = "1") -> StripeDispute:
    return StripeDispute(
        id=f"dp_{name}",
        status=status,
        reason="fraudulent",
        amount_cents=cents,
        currency="USD",
        livemode=False,
        opened_at=START,
        payment_intent_id=f"pi_{name}",
        withdrawn_cents=cents,
        reinstated_cents=cents if status == "won" else 0,
    )


def test_a_live_reading_is_ended_at_once_and_charged_until_then(app: Flask) -> None:
    room = Room(wallet="10.00", rate="3.00").start(0)
    topped_up(room.client.id)
    room.beats(10, 90)
    with transaction():
        disputes.record(word(), at(95))
    session = room.session
    assert (session.state, session.end_reason) == ("ended", "system_ended")
    assert (session.minutes_billed, session.ended_at) == (2, at(95))
    # 10 + 25 − 2 minutes of 3.00 + the 25 seconds that were paid and not had (1.25) − 25 asked back.
    assert room.wallet == Decimal("5.25")
    assert standing(room.client.id) == ["dispute"]
    room.finalize(100)
    clean()


def test_nothing_begins_and_nothing_goes_on(app: Flask) -> None:
    room = Room(wallet="10.00", rate="3.00").start(0)
    topped_up(room.client.id)
    room.do("leave", "client", 20)
    with transaction():
        holds.place(
            room.client.id, "staff", "Please write to support.", at(25), actor_id=room.reader.person_id
        )
    with pytest.raises(SpendingFrozen, match="write to support"):
        room.do("reconnect", "client", 30)
    assert room.session.end_reason == "system_ended"
    other = factories.reader("1.00")
    with pytest.raises(SpendingFrozen), transaction():
        readings.request(room.client.id, other.slug, "text", at(40))
    with transaction():
        assert holds.lift(room.client.id, "staff", at(50))
        assert readings.request(room.client.id, other.slug, "text", at(60)).id


def test_the_reader_is_not_told_why(app: Flask) -> None:
    room = Room(wallet="10.00", rate="3.00")
    room.do("join", "client", 1)
    with transaction():
        holds.place(room.client.id, "debt", holds.REASONS["debt"], at(2))
    with pytest.raises(SpendingFrozen) as refusal:
        room.do("join", "reader", 3)
    assert refusal.value.detail == "SoulSeer ended this reading."
    assert room.session.minutes_billed == 0


def test_the_sweep_ends_what_was_frozen_otherwise_and_pays_from_what_came_in(app: Flask) -> None:
    room = Room(wallet="10.00", rate="3.00").start(0)
    with transaction():
        holds.place(
            room.client.id, "staff", "Please write to support.", at(5), actor_id=room.reader.person_id
        )
    assert settle_disputes.run(JobContext(now=at(10), dry_run=True))["readings_to_end"] == 1
    assert settle_disputes.run(JobContext(now=at(10)))["readings_ended"] == 1
    assert room.session.end_reason == "system_ended"

    debtor = factories.person()
    topped_up(debtor.id)
    with transaction():
        wallet = ledger.account_id(AccountKind.CLIENT_WALLET, debtor.id)
        revenue = ledger.account_id(AccountKind.PLATFORM_REVENUE)
        spent = [ledger.Posting(wallet, Decimal(-25)), ledger.Posting(revenue, Decimal(25))]
        ledger.post(TransferKind.ADJUSTMENT, "spent", spent, START)
        disputes.record(word("lost"), at(20))
        back = [ledger.Posting(revenue, Decimal(-30)), ledger.Posting(wallet, Decimal(30))]
        ledger.post(TransferKind.REFUND_TO_WALLET, "goodwill", back, START)
    assert settle_disputes.run(JobContext(now=at(30)))["debts_paid"] == 1
    with transaction():
        assert ledger.balance(AccountKind.CLIENT_WALLET, debtor.id) == 5
    assert standing(debtor.id) == []
    assert settle_disputes.run(JobContext(now=at(40))) == {}


def test_what_fails_for_one_person_stops_no_other(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = [Room(wallet="10.00", rate="3.00").start(0) for _ in range(2)]
    with transaction():
        for room in rooms:
            holds.place(room.client.id, "staff", "Please write.", at(5), actor_id=room.reader.person_id)
    end_of = frozen_readings.end_of

    def end_all_but_the_first(client_id: int, now: datetime) -> object:
        if client_id == rooms[0].client.id:
            raise ZeroDivisionError("a fault of ours")
        return end_of(client_id, now)

    monkeypatch.setattr(frozen_readings, "end_of", end_all_but_the_first)
    assert settle_disputes.run(JobContext(now=at(10))) == {"error": 1, "readings_ended": 1}
    assert [room.session.end_reason for room in rooms] == [None, "system_ended"]


def test_the_doors_say_why(migrated_app: Flask, empty: None) -> None:
    scene = Scene(migrated_app)
    with migrated_app.app_context(), transaction():
        client_id = db.session.scalars(select(Person.id).order_by(Person.id)).first()
        assert client_id is not None
        holds.place(client_id, "debt", holds.REASONS["debt"], START)
    status, problem = scene.client.call("POST", "", {"reader": scene.slug, "modality": "text"})
    assert (status, problem["code"], problem["detail"]) == (403, "spending_frozen", holds.REASONS["debt"])
    browser, token = scene.client.client, scene.client.token
    form = {"reader": scene.slug, "modality": "text", "csrf_token": token}
    page = browser.post("/readings/start/", data=form)
    assert page.status_code == 403
    assert "Spending is paused" in page.text
    assert "Add money to your wallet" in page.text
    wallet = browser.get("/wallet/").text
    assert "Spending is paused" in wallet
    assert 'name="amount"' in wallet, "topping up stays possible"
    assert isinstance(scene.client, Caller)


def test_the_database_keeps_disputes_and_holds(app: Flask) -> None:
    client = factories.person()
    topped_up(client.id)
    with transaction():
        disputes.record(word("won"), START)
    for statement in (
        "DELETE FROM dispute",
        "TRUNCATE spending_hold",
        "UPDATE dispute SET state = 'lost'",
        "UPDATE dispute SET amount = 1",
        "UPDATE dispute SET wallet_part = wallet_part - 1, receivable_part = 1",
        "UPDATE dispute SET returned_transaction_id = NULL",
        "UPDATE spending_hold SET reason = 'other'",
    ):
        with transaction():
            holds.place(client.id, "debt", "Owed.", START)
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(db.text(statement))
    with transaction():
        holds.lift(client.id, "debt", START)
    with pytest.raises(IntegrityError), transaction():
        db.session.execute(db.text("UPDATE spending_hold SET lifted_at = NULL"))
    with transaction():
        assert db.session.scalars(select(SpendingHold)).one().lifted_at == START


def test_an_older_word_changes_nothing(app: Flask) -> None:
    client = factories.person()
    topped_up(client.id)
    for status in ("won", "needs_response", "under_review", "lost", "warning_closed"):
        with transaction():
            assert disputes.record(word(status), START).status == "processed"
    with transaction():
        assert ledger.balance(AccountKind.CLIENT_WALLET, client.id) == 25
    assert standing(client.id) == []
    for unfit in (word(cents=2400), word(name="2")):
        with transaction():
            assert disputes.record(unfit, START).status == "quarantined"
    clean()


@pytest.mark.parametrize("template", ["dispute_opened", "dispute_won", "dispute_lost", "debt_paid"])
def test_the_mails_can_be_written(app: Flask, template: str) -> None:
    values = {"amount": "25.00", "opened_at": START.isoformat(), "returned": "25.00"}
    written = write(template, values, handle="zoe", time_zone="UTC")
    assert written.subject
    assert "$25.00" in written.subject + written.text


@pytest.mark.parametrize(
    "wrong", [{"currency": "EUR"}, {"livemode": True}, {"status": "nonsense"}, {"amount_cents": 0}]
)
def test_what_does_not_fit_is_set_aside(app: Flask, wrong: dict) -> None:
    client = factories.person()
    topped_up(client.id)
    with transaction():
        verdict = disputes.record(replace(word(), **wrong), START)
        assert (verdict.status, verdict.alert) == ("quarantined", True)
        assert ledger.balance(AccountKind.CLIENT_WALLET, client.id) == 25
        assert db.session.scalars(select(Dispute)).all() == []


@pytest.mark.parametrize("name", [None, 7, "", "ch_1", "dp_1/../x", "dp_" + "x" * 300])
def test_an_event_that_names_no_dispute_is_set_aside(name: object) -> None:
    event = EventInHand(1, "evt_1", "charge.dispute.created", {"id": name}, START)
    verdict = dispute_events.examine(event, START)
    assert isinstance(verdict, Verdict)
    assert (verdict.status, verdict.alert) == ("quarantined", True)
