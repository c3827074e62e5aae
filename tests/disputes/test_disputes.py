"""Disputes over the real stand-in: the money goes back once, comes back once, and spending stops meanwhile."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict
from soulseer.jobs import process_stripe_webhook
from soulseer.jobs.context import JobContext
from soulseer.models.mail import MailMessage
from soulseer.models.payments import WebhookEvent
from soulseer.services import dispute_debts, holds
from tests import factories
from tests.disputes.bank import (
    ask_back,
    at_stripe,
    balances,
    bank,
    catch_up,
    clean,
    clearing,
    delivered,
    dispute,
    movements,
    paid,
    spend,
    standing,
)
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import alerts, begun, statuses, top_up, work


def mails(person_id: int) -> list[str]:
    with transaction():
        query = (
            select(MailMessage.template).where(MailMessage.person_id == person_id).order_by(MailMessage.id)
        )
        return [name for name in db.session.scalars(query) if name.startswith(("dispute", "debt"))]


def test_opened_and_won(sandbox: Sandbox) -> None:
    client = factories.person()
    payment = paid(sandbox, client.id)
    name = ask_back(sandbox, payment)
    catch_up(sandbox)
    assert balances(client.id) == ("0.00", "0.00")
    assert standing(client.id) == ["dispute"]
    row = dispute(name)
    assert (row.state, row.wallet_part, row.receivable_part, row.fee) == ("needs_response", 25, 0, 15)
    assert row.evidence_due_at is not None
    assert top_up(payment.id).disputed_amount == 25
    assert clearing() == at_stripe(sandbox) == 0
    clean()

    bank(sandbox, name, "win")
    catch_up(sandbox)
    assert balances(client.id) == ("25.00", "0.00")
    assert standing(client.id) == []
    assert dispute(name).state == "won"
    assert top_up(payment.id).disputed_amount == 0
    assert movements("chargeback", "chargeback_won") == [
        ("chargeback", f"dispute:{name}:chargeback"),
        ("chargeback_won", f"dispute:{name}:won"),
    ]
    assert clearing() == at_stripe(sandbox) == 25
    assert mails(client.id) == ["dispute_opened", "dispute_won"]
    clean()


def test_spent_before_it_is_lost_and_then_paid_by_a_top_up(sandbox: Sandbox) -> None:
    client = factories.person()
    payment = paid(sandbox, client.id)
    spend(client.id, "20.00")
    name = ask_back(sandbox, payment)
    catch_up(sandbox)
    assert balances(client.id) == ("0.00", "20.00")
    assert standing(client.id) == ["debt", "dispute"]
    bank(sandbox, name, "lose")
    catch_up(sandbox)
    assert (dispute(name).state, standing(client.id)) == ("lost", ["debt"])
    assert top_up(payment.id).disputed_amount == 25
    clean()

    paid(sandbox, client.id, "10.00")
    assert (balances(client.id), standing(client.id)) == (("0.00", "10.00"), ["debt"])
    paid(sandbox, client.id, "25.00")
    assert (balances(client.id), standing(client.id)) == (("15.00", "0.00"), [])
    assert mails(client.id) == ["dispute_opened", "dispute_lost", "debt_paid"]
    assert clearing() == at_stripe(sandbox)
    clean()


def test_lost_with_all_of_it_still_there_leaves_no_hold(sandbox: Sandbox) -> None:
    client = factories.person()
    name = ask_back(sandbox, paid(sandbox, client.id), 500)
    bank(sandbox, name, "lose")
    catch_up(sandbox)
    assert (balances(client.id), standing(client.id)) == (("20.00", "0.00"), [])
    clean()


def test_won_after_the_debt_was_partly_paid(sandbox: Sandbox) -> None:
    client = factories.person()
    payment = paid(sandbox, client.id)
    spend(client.id, "20.00")
    name = ask_back(sandbox, payment)
    catch_up(sandbox)
    paid(sandbox, client.id, "8.00")
    assert balances(client.id) == ("0.00", "12.00")
    bank(sandbox, name, "win")
    catch_up(sandbox)
    # 25 came back: 12 to what is owed still, 13 to the wallet (5 were taken from it, 8 were paid since).
    assert (balances(client.id), standing(client.id)) == (("13.00", "0.00"), [])
    assert clearing() == at_stripe(sandbox) == 33
    clean()


def test_an_inquiry_moves_no_money_until_it_becomes_a_dispute(sandbox: Sandbox) -> None:
    client = factories.person()
    quiet, loud = (ask_back(sandbox, paid(sandbox, client.id), inquiry=True) for _ in range(2))
    catch_up(sandbox)
    assert (dispute(quiet).state, standing(client.id)) == ("warning_needs_response", [])
    bank(sandbox, quiet, "lose")
    bank(sandbox, loud, "escalate")
    catch_up(sandbox)
    assert (dispute(quiet).state, dispute(quiet).taken_amount) == ("warning_closed", 0)
    assert (dispute(loud).state, dispute(loud).taken_amount) == ("needs_response", 25)
    assert (balances(client.id), standing(client.id)) == (("25.00", "0.00"), ["dispute"])
    assert mails(client.id) == ["dispute_opened"]
    clean()


def test_before_its_payment_it_waits(sandbox: Sandbox) -> None:
    client = factories.person()
    opened = begun(client.id)
    assert opened.stripe_checkout_session_id
    sandbox.pay(opened.stripe_checkout_session_id)
    name = ask_back(sandbox, opened)
    delivered(sandbox)
    with transaction():
        events = {row.type: row.id for row in db.session.scalars(select(WebhookEvent))}
    first = work(event=str(events["charge.dispute.created"]))
    assert first.keys() != {"processed"}
    assert movements("chargeback") == []
    work()
    work(timedelta(hours=1))
    assert dispute(name).taken_amount == 25
    assert (balances(client.id), standing(client.id)) == (("0.00", "0.00"), ["dispute"])
    assert set(statuses().values()) <= {"processed", "ignored"}
    clean()


def test_of_an_unknown_payment_it_is_set_aside(sandbox: Sandbox) -> None:
    client = factories.person()
    payment = paid(sandbox, client.id)
    with transaction():
        found = db.session.get_one(type(payment), payment.id)
        found.stripe_payment_intent_id, found.stripe_charge_id = "pi_other", "ch_other"
    ask_back(sandbox, payment)
    catch_up(sandbox)
    assert balances(client.id) == ("25.00", "0.00")
    assert any(alert.startswith("webhook_quarantined:") for alert in alerts())


def test_after_a_refund_no_more_is_taken_than_is_left(sandbox: Sandbox) -> None:
    client = factories.person()
    payment = paid(sandbox, client.id)
    with transaction():
        db.session.get_one(type(payment), payment.id).refunded_amount = Decimal("10.00")
    name = ask_back(sandbox, payment, 2500)
    catch_up(sandbox)
    assert dispute(name).taken_amount == 15
    assert balances(client.id) == ("10.00", "0.00")
    assert alerts() == [f"dispute_above_payment:dispute:{dispute(name).id}"]


def test_two_workers_at_once_take_it_back_once(sandbox: Sandbox, app) -> None:
    client = factories.person()
    name = ask_back(sandbox, paid(sandbox, client.id))
    bank(sandbox, name, "win")
    delivered(sandbox)
    in_threads(app, 4, lambda number: process_stripe_webhook.run(JobContext(now=clock.now())))
    catch_up(sandbox, timedelta(hours=1))
    assert len(movements("chargeback", "chargeback_won")) == 2
    assert balances(client.id) == ("25.00", "0.00")
    assert clearing() == at_stripe(sandbox) == 25
    clean()


def test_staff_write_off_what_is_owed(sandbox: Sandbox) -> None:
    client, finance = factories.person(), factories.person("finance")
    payment = paid(sandbox, client.id)
    spend(client.id, "25.00")
    name = ask_back(sandbox, payment)
    bank(sandbox, name, "lose")
    catch_up(sandbox)
    lost = dispute(name).id
    with transaction():
        written = dispute_debts.write_off(lost, finance.id, "Not worth a letter", clock.now())
    assert written == 25
    assert (balances(client.id), standing(client.id)) == (("0.00", "0.00"), [])
    clean()
    with pytest.raises(Conflict), transaction():
        dispute_debts.write_off(lost, finance.id, "Not worth a letter", clock.now())


def test_two_disputes_of_one_client_share_the_debt(sandbox: Sandbox) -> None:
    client = factories.person()
    payments = [paid(sandbox, client.id) for _ in range(2)]
    spend(client.id, "40.00")
    names = [ask_back(sandbox, payment) for payment in payments]
    catch_up(sandbox)
    assert balances(client.id) == ("0.00", "40.00")
    bank(sandbox, names[0], "win")
    catch_up(sandbox)
    # 10 were taken from the wallet, 15 owed; what came back to the wallet pays what is owed for the other one.
    assert balances(client.id) == ("0.00", "15.00")
    assert standing(client.id) == ["debt", "dispute"]
    bank(sandbox, names[1], "win")
    catch_up(sandbox)
    assert (balances(client.id), standing(client.id)) == (("10.00", "0.00"), [])
    assert holds.spending_frozen(client.id) is None
    assert clearing() == at_stripe(sandbox)
    clean()


def test_two_disputes_decided_at_once_leave_no_hold(sandbox: Sandbox, app) -> None:
    client = factories.person()
    names = [ask_back(sandbox, paid(sandbox, client.id)) for _ in range(4)]
    catch_up(sandbox)
    assert standing(client.id) == ["dispute"]
    for name in names:
        bank(sandbox, name, "win")
    delivered(sandbox)
    in_threads(app, 4, lambda number: process_stripe_webhook.run(JobContext(now=clock.now())))
    catch_up(sandbox, timedelta(hours=1))
    assert (balances(client.id), standing(client.id)) == (("100.00", "0.00"), [])
    clean()
