"""Top-ups given back to the card through Stripe: in parts, never too much, and right when Stripe is late or silent."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, InvalidInput, SoulSeerError
from soulseer.gateways import stripe_refunds
from soulseer.jobs import send_refunds
from soulseer.jobs.context import JobContext
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.mail import MailMessage
from soulseer.models.refunds import Refund
from soulseer.services import refund_sending, refunds
from tests.factories import person
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import begun
from tests.refunds.steps import (
    TOP_UP,
    Source,
    alerts,
    arrived,
    asked,
    at_stripe,
    clean,
    dollars,
    heard,
    in_dashboard,
    paid,
    preview,
    refund,
    sent,
    state,
    switch,
    top_up,
    wallet,
)


def returned() -> int:
    """How often a refund came back, by the books."""
    with transaction():
        query = select(func.count()).where(LedgerTransaction.kind == "refund_failed")
        return db.session.scalar(query)


def mails() -> list[str]:
    with transaction():
        query = select(MailMessage.template).where(MailMessage.template.like("refund%"))
        return list(db.session.scalars(query.order_by(MailMessage.id)))


def test_in_parts_down_to_nothing(sandbox: Sandbox, support: int, client_id: int) -> None:
    made = paid(sandbox, client_id, "25.00")
    source = Source(TOP_UP, made.id)
    first = asked(source, "10.00", support)
    # Booked before Stripe is asked.
    assert (first.state, wallet(client_id)) == ("approved", dollars("15.00"))
    assert top_up(made.id).refunded_amount == dollars("10.00")
    assert at_stripe(sandbox) == []
    assert sent() == {"settled": 1}
    assert state(first.id) == "settled"
    asked(source, "15.00", support)
    assert sent() == {"settled": 1}
    with pytest.raises(Conflict, match="given back before"):
        preview(source, "0.01")
    assert [found["amount"] for found in at_stripe(sandbox)] == [1500, 1000]
    assert mails() == ["refund_approved", "refund_settled"] * 2
    clean()


def test_above_the_rest_nobody_asks_stripe(sandbox: Sandbox, support: int, client_id: int) -> None:
    made = paid(sandbox, client_id, "25.00")
    for wrong in ("25.01", "0.00", "-1.00"):
        with pytest.raises(InvalidInput):
            preview(Source(TOP_UP, made.id), wrong)
    unpaid = begun(client_id, "30.00")
    with pytest.raises(Conflict, match="only what was paid"):
        preview(Source(TOP_UP, unpaid.id), "1.00")
    assert sent() == {}
    assert at_stripe(sandbox) == []


def test_what_was_spent_is_not_in_the_wallet(sandbox: Sandbox, support: int, client_id: int) -> None:
    first, second = (paid(sandbox, client_id, "25.00") for _ in range(2))
    asked(Source(TOP_UP, first.id), "20.00", support)
    with pytest.raises(InvalidInput, match="At most"):
        preview(Source(TOP_UP, first.id), "5.01")
    # Not of this payment, but the wallet is short for it now.
    asked(Source(TOP_UP, second.id), "24.00", support)
    assert wallet(client_id) == dollars("6.00")
    sent()
    clean()


def test_twenty_at_once(sandbox: Sandbox, app, client_id: int) -> None:
    top_up_id = paid(sandbox, client_id, "25.00").id
    staff = [person("support").id for _ in range(20)]

    def one(number: int) -> str:
        try:
            asked(Source(TOP_UP, top_up_id), "4.00", staff[number])
            return "done"
        except SoulSeerError as error:
            return f"{error.status}"

    results = in_threads(app, 20, one)
    assert results.count("done") == 6
    assert set(results) <= {"done", "409", "422"}
    # Several workers at once send each of them once.
    runs = in_threads(app, 4, lambda _: sent().get("settled", 0))
    assert sum(runs) == 6
    assert sum(found["amount"] for found in at_stripe(sandbox)) == 2400
    assert wallet(client_id) == dollars("1.00")
    clean()


def test_stripe_refuses(sandbox: Sandbox, support: int, client_id: int) -> None:
    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    sandbox.faults(fail_api={"status": 400, "count": 1})
    assert sent() == {"failed": 1}
    found = refund(asked_for.id)
    assert (found.state, found.stripe_refund_id) == ("failed", None)
    assert found.failure
    assert wallet(client_id) == dollars("25.00")
    assert top_up(made.id).refunded_amount == 0
    assert sent(timedelta(days=2)) == {}
    assert mails() == ["refund_approved", "refund_failed"]
    clean()


@pytest.mark.parametrize(
    "fault", [{"fail_api": {"status": 500, "count": 9}}, {"fail_api": {"status": 429, "count": 9}}]
)
def test_stripe_out_of_order(sandbox: Sandbox, support: int, client_id: int, fault: dict) -> None:
    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    sandbox.faults(**fault)
    assert sent() == {"unanswered": 1}
    assert state(asked_for.id) == "approved"
    assert wallet(client_id) == dollars("15.00")
    sandbox.faults(fail_api={"status": 500, "count": 0})
    assert sent() == {}
    assert sent(timedelta(minutes=3)) == {"settled": 1}
    assert len(at_stripe(sandbox)) == 1
    clean()


@pytest.mark.parametrize("later", [timedelta(minutes=3), timedelta(days=3)])
def test_a_timeout_after_it_was_done(
    sandbox: Sandbox, support: int, client_id: int, later: timedelta
) -> None:
    """Within the key's life by the key, later by Stripe's own list: one refund either way."""
    made = paid(sandbox, client_id)
    asked(Source(TOP_UP, made.id), "10.00", support)
    # The SDK itself tries three times.
    sandbox.faults(timeout_after_effect=3)
    assert sent() == {"unanswered": 1}
    assert len(at_stripe(sandbox)) == 1
    if later.days:
        with sandbox.stand_in.store.transaction() as connection:
            connection.execute("DELETE FROM idempotency")
    assert sent(later) == {"settled": 1}
    assert len(at_stripe(sandbox)) == 1
    assert wallet(client_id) == dollars("15.00")
    clean()


def test_refused_on_a_retry_though_it_was_done(sandbox: Sandbox, support: int, client_id: int) -> None:
    made = paid(sandbox, client_id)
    asked(Source(TOP_UP, made.id), "25.00", support)
    sandbox.faults(timeout_after_effect=3)
    assert sent() == {"unanswered": 1}
    with sandbox.stand_in.store.transaction() as connection:
        connection.execute("DELETE FROM idempotency")
    # Stripe says that all was refunded already: by us.
    assert sent(timedelta(minutes=3)) == {"settled": 1}
    assert wallet(client_id) == 0
    assert returned() == 0
    clean()


def test_given_back_here_though_it_lives_at_stripe(sandbox: Sandbox, support: int, client_id: int) -> None:
    """Stripe refused, the money went back to the wallet, and then it turns up: somebody has to know."""
    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    sandbox.faults(fail_api={"status": 400, "count": 1})
    assert sent() == {"failed": 1}
    name = refund_sending.reference(refund(asked_for.id))
    in_dashboard(
        sandbox, made.stripe_payment_intent_id, 1000, **{f"metadata[{refund_sending.METADATA}]": name}
    )
    arrived(sandbox, "refund.created")
    heard()
    assert alerts() == ["refund_mismatch"]
    assert (state(asked_for.id), wallet(client_id)) == ("failed", dollars("25.00"))
    clean()


def test_asked_about_soon_after_a_late_approval(sandbox: Sandbox, support: int, client_id: int) -> None:
    made = paid(sandbox, client_id, "150.00")
    asked_for = asked(Source(TOP_UP, made.id), "150.00", support)
    later, approver = clock.now() + timedelta(days=3), person("finance").id
    with transaction():
        refunds.approve(asked_for.id, asked_for.plan_hash, approver, "As the client was told", later)
    sandbox.faults(fail_api={"status": 500, "count": 9})
    assert sent(timedelta(days=3, seconds=1)) == {"unanswered": 1}
    sandbox.faults(fail_api={"status": 500, "count": 0})
    assert sent(timedelta(days=3, minutes=3)) == {"settled": 1}
    clean()


def test_pending_then_through(sandbox: Sandbox, support: int, client_id: int) -> None:
    made = paid(sandbox, client_id)
    switch(sandbox, "", pending=True)
    sandbox.faults(drop_webhooks=100)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    assert sent() == {"sent": 1}
    assert sent(timedelta(minutes=3)) == {"unchanged": 1}
    switch(sandbox, f"/{refund(asked_for.id).stripe_refund_id}/settle")
    assert sent(timedelta(hours=1)) == {"settled": 1}
    assert mails() == ["refund_approved", "refund_sent", "refund_settled"]
    clean()


def test_a_worker_killed_after_stripe_did_it(sandbox: Sandbox, support: int, client_id: int) -> None:
    """The outcome is never recorded; the sweep asks again under the same key."""

    made = paid(sandbox, client_id)
    asked(Source(TOP_UP, made.id), "10.00", support)
    with transaction():
        taken = refund_sending.claim_due(clock.now())
        payment = refund_sending.payment_of(taken)
    refund_sending.ask_stripe(taken, payment, clock.now())
    assert sent() == {}
    assert sent(timedelta(minutes=3)) == {"settled": 1}
    assert len(at_stripe(sandbox)) == 1
    clean()


def test_amounts_that_disagree_are_for_a_person(sandbox: Sandbox, support: int, client_id: int) -> None:

    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    sandbox.faults(drop_webhooks=100)
    sent()
    word = stripe_refunds.retrieve(gateways.current().stripe, refund(asked_for.id).stripe_refund_id)
    for wrong in (
        replace(word, amount_cents=1001, status="failed"),
        replace(word, currency="EUR", status="failed"),
        replace(word, payment_intent_id="pi_other", status="failed"),
    ):
        with transaction():
            assert refund_sending.record(wrong, clock.now()) == "mismatch"
    assert (state(asked_for.id), wallet(client_id)) == ("settled", dollars("15.00"))
    assert alerts() == ["refund_mismatch"]


def test_it_came_back_once_however_often_it_is_told(
    sandbox: Sandbox, app, support: int, client_id: int
) -> None:

    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    sent()
    sandbox.faults(drop_webhooks=100)
    name = refund(asked_for.id).stripe_refund_id
    switch(sandbox, f"/{name}/fail", reason="lost_or_stolen_card")
    word = stripe_refunds.retrieve(gateways.current().stripe, name)

    def tell(_number: int) -> str:
        with transaction():
            return refund_sending.record(word, clock.now())

    assert sorted(in_threads(app, 8, tell)) == ["failed"] + ["unchanged"] * 7
    assert (wallet(client_id), returned()) == (dollars("25.00"), 1)
    assert top_up(made.id).refunded_amount == 0
    # What came back may be asked for again.
    asked(Source(TOP_UP, made.id), "25.00", support)
    assert sent() == {"settled": 1}
    clean()


def test_the_database_refuses_more_than_was_paid(sandbox: Sandbox, client_id: int, superuser) -> None:
    made = paid(sandbox, client_id)
    with pytest.raises(psycopg.errors.CheckViolation):
        superuser.execute("UPDATE top_up SET refunded_amount = amount + 1 WHERE id = %s", (made.id,))


def test_disputed_money_is_not_given_back(sandbox: Sandbox, client_id: int, support: int) -> None:
    made = paid(sandbox, client_id, "25.00")
    with transaction():
        found = db.session.get_one(type(made), made.id)
        found.disputed_amount = Decimal("20.00")
    with pytest.raises(InvalidInput, match="At most"):
        preview(Source(TOP_UP, made.id), "5.01")
    assert preview(Source(TOP_UP, made.id), "5.00").rest == dollars("5.00")


def test_a_dry_run_only_tells(sandbox: Sandbox, client_id: int, support: int) -> None:

    made = paid(sandbox, client_id)
    asked_for = asked(Source(TOP_UP, made.id), "10.00", support)
    told = send_refunds.run(JobContext(now=clock.now(), dry_run=True))
    assert told == {"dry_run": True, "refunds": [asked_for.id]}
    assert at_stripe(sandbox) == []
    assert sent(refund=str(asked_for.id)) == {"settled": 1}
    assert sent(refund=str(asked_for.id)) == {"nothing_due": 1}
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(Refund)) == 1
