"""A person with the sandbox's plans before the real stand-in, and the switches that move a subscription's time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from sqlalchemy import select

from soulseer.blueprints import membership_deeds
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.jobs import check_subscriptions, process_stripe_webhook
from soulseer.jobs.context import JobContext
from soulseer.models.ledger import LedgerEntry, LedgerTransaction
from soulseer.models.mail import MailMessage
from soulseer.models.subscriptions import Subscription, SubscriptionInvoice
from soulseer.services import ledger_check, mail_texts, plans, subscriptions
from tests import factories
from tests.money_in.conftest import Sandbox, product, sandbox, statements, stripe_server  # noqa: F401
from tests.money_in.events import wait_for


@dataclass
class Member:
    """Somebody who subscribes, and what tests do to and ask of them."""

    sandbox: Sandbox
    person_id: int
    audience: str

    def choose(self, plan: str = "starter", interval: str = "month") -> Subscription:
        """What the button "Choose" does."""
        return membership_deeds.subscribe_to(self.person_id, [self.audience], plan, interval)

    def subscribe(self, plan: str = "starter", interval: str = "month") -> Subscription:
        """Choose, go through the checkout, and have the events acted on."""
        row = self.choose(plan, interval)
        assert row.stripe_checkout_session_id is not None
        self.sandbox.pay(row.stripe_checkout_session_id).raise_for_status()
        self.settle()
        return self.row()

    def do(self, kind: str, **wanted: Any) -> None:
        """What the buttons change, cancel and undo do."""
        membership_deeds.carry_out(self.person_id, self.row().id, kind, **wanted)

    def switch(self, name: str, **body: Any) -> None:
        """Turn one of the stand-in's switches; the events are acted on."""
        self.at_stripe(name, **body)
        self.settle()

    def at_stripe(self, name: str, **body: Any) -> None:
        """Turn a switch and leave the events lie."""
        url = f"{self.sandbox.stripe}/sandbox/subscriptions/{self.row().stripe_subscription_id}/{name}"
        answer = requests.post(url, json=body, timeout=10)
        assert answer.status_code == 200, answer.text

    def settle(self) -> None:
        """Wait until every event has been delivered, and act on them."""
        wait_for(lambda: _undelivered(self.sandbox.stripe) == 0)
        process_stripe_webhook.run(JobContext(now=clock.now() + timedelta(seconds=1)))

    def sweep(self, later: timedelta = timedelta(0)) -> dict[str, Any]:
        """One run of the sweep, with its clock moved on by ``later``."""
        return check_subscriptions.run(JobContext(now=clock.now() + later))

    def row(self) -> Subscription:
        """The person's newest subscription."""
        with transaction():
            query = select(Subscription).where(Subscription.person_id == self.person_id)
            return db.session.scalars(query.order_by(Subscription.id.desc()).limit(1)).one()

    def plan(self, now: datetime | None = None) -> str | None:
        """The code of the plan whose benefits the person has."""
        with transaction():
            found = subscriptions.current_plan(self.person_id, self.audience, now)
        return None if found is None else found.code

    def invoices(self) -> list[tuple[str, str]]:
        """(state, dollars paid) of each, oldest first."""
        with transaction():
            found = db.session.scalars(select(SubscriptionInvoice).order_by(SubscriptionInvoice.id))
            return [(one.state, f"{one.amount_paid:.2f}") for one in found]

    def booked(self) -> list[str]:
        """Dollars of each ledger transaction of the kind subscription, oldest first."""
        with transaction():
            found = db.session.scalars(
                select(LedgerTransaction)
                .where(LedgerTransaction.kind == "subscription")
                .order_by(LedgerTransaction.id)
            ).all()
            assert all(one.stripe_reference.startswith("pi_") for one in found)
            return [_amount(one.id) for one in found]

    def mails(self) -> list[str]:
        """The templates of what was queued to the person, in order."""
        with transaction():
            query = select(MailMessage.template).where(MailMessage.person_id == self.person_id)
            return list(db.session.scalars(query.order_by(MailMessage.id)))


def _amount(transaction_id: int) -> str:
    query = select(LedgerEntry.amount).where(
        LedgerEntry.transaction_id == transaction_id, LedgerEntry.amount > Decimal(0)
    )
    return f"{db.session.scalars(query).one():.2f}"


def _undelivered(stripe: str) -> int:
    answer = requests.get(f"{stripe}/sandbox/events.json", params={"limit": 1000}, timeout=10)
    return sum(
        delivery["state"] == "pending"
        for event in answer.json()["events"]
        for delivery in event["deliveries"]
    )


@pytest.fixture
def member(sandbox: Sandbox) -> Iterator[Callable[..., Member]]:  # noqa: F811
    """Makes people with the plans seeded; afterwards the books are checked."""
    with transaction():
        plans.seed(clock.now())

    def make(audience: str = "reader") -> Member:
        roles = ("client",) if audience == "client" else ("client", audience)
        return Member(sandbox, factories.person(*roles).id, audience)

    yield make
    assert ledger_check.check() == []
    # What was queued can be written.
    with transaction():
        for message in db.session.scalars(select(MailMessage)):
            written = mail_texts.write(
                message.template, message.values, handle="luna", time_zone="Europe/Berlin"
            )
            assert "SoulSeer" in written.html
