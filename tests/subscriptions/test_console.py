"""Staff see a subscription whole, and cancel it with a reason; the books' check knows what must hold."""

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, InvalidInput
from soulseer.jobs import check_subscriptions
from soulseer.jobs.context import JobContext
from soulseer.models.operations import AuditEntry
from soulseer.services import console_subscriptions, ledger_check
from soulseer.services.console import Window
from tests import factories
from tests.subscriptions.planted import running_subscription

REASON = "They wrote to us and asked for it."


def cancel(row_id: int, way: str, staff_id: int) -> str:
    with transaction():
        return console_subscriptions.cancel(row_id, way, staff_id, REASON, clock.now())


@pytest.mark.parametrize(("way", "state"), [("period_end", "active"), ("now", "canceled")])
def test_support_cancels_with_a_reason_and_a_worker_does_it(member, way: str, state: str) -> None:
    reader, staff = member(), factories.person("support")
    row = reader.subscribe("enterprise")
    assert cancel(row.id, way, staff.id).startswith(f"Subscription {row.id} is being canceled")
    assert not reader.row().cancel_at_period_end
    check_subscriptions.run(JobContext(now=clock.now()))
    assert reader.row().state == state
    assert reader.row().cancel_at_period_end == (way == "period_end")
    with transaction():
        entry = db.session.scalars(
            select(AuditEntry).where(AuditEntry.action == "subscription.cancel_asked")
        ).one()
        assert (entry.actor_id, entry.reason) == (staff.id, REASON)
        dossier = console_subscriptions.subscription(row.id)
    assert dossier.orders[0].state == "done"
    assert dossier.moves[0].actor == staff.handle
    with pytest.raises(Conflict):
        cancel(row.id, way if way == "now" else "period_end", staff.id)


def test_nonsense_is_refused(member) -> None:
    reader, staff = member(), factories.person("support")
    row = reader.subscribe("enterprise")
    with pytest.raises(InvalidInput):
        cancel(row.id, "yesterday", staff.id)


def test_the_list_is_narrowed(app) -> None:
    first, second = running_subscription(), running_subscription()
    with transaction():
        every = console_subscriptions.subscriptions(Window())
        by_invoice = console_subscriptions.subscriptions(
            Window(), stripe=console_subscriptions.subscription(first).invoices[0].stripe_invoice_id
        )
        lapsed = console_subscriptions.subscriptions(Window(), state="lapsed")
    assert [row.id for row in every.rows] == [second, first]
    assert [row.id for row in by_invoice.rows] == [first]
    assert list(lapsed.rows) == []


@pytest.mark.parametrize(
    ("corruption", "invariant"),
    [
        ("UPDATE subscription_invoice SET amount_paid = 2800", "paid_invoices_are_booked_once"),
        ("DELETE FROM subscription_invoice", "paid_invoices_are_booked_once"),
        ("UPDATE subscription SET audience = 'client'", "subscriptions_have_a_plan_for_their_audience"),
    ],
)
def test_the_check_finds_what_was_tampered_with(app, superuser, corruption: str, invariant: str) -> None:
    running_subscription()
    assert ledger_check.check() == []
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute(corruption)
    assert {found.invariant for found in ledger_check.check()} == {invariant}
