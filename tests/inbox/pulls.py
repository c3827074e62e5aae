"""Steps of the tests of the pull: events that no webhook brings, a pull as a worker runs it, what is stored."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.jobs import pull_stripe_events
from soulseer.jobs.context import JobContext
from soulseer.models.payments import StripeEventPull, WebhookEvent
from soulseer.sandbox.stripe.work import new_id
from tests.money_in.conftest import Sandbox

HOURS, DAYS = timedelta(hours=1), timedelta(days=1)


def pull(now: datetime | None = None, *, dry_run: bool = False, **arguments: str) -> dict[str, Any]:
    return pull_stripe_events.run(JobContext(now=now or clock.now(), dry_run=dry_run, arguments=arguments))


def unheard(sandbox: Sandbox, count: int = 1, *, at: datetime | None = None) -> list[str]:
    """The ids of ``count`` events that Stripe made ``at`` (now) and whose webhooks were lost, oldest first."""
    sandbox.faults(drop_webhooks=count)
    with sandbox.stand_in.work() as work:
        if at is not None:
            work.now = int(at.timestamp())
        charge = {"id": new_id("ch"), "object": "charge", "amount": 100}
        return [work.announce("charge.updated", charge)["id"] for _ in range(count)]


def stored() -> dict[str, WebhookEvent]:
    """Every stored event by its id."""
    with transaction():
        return {row.event_id: row for row in db.session.scalars(select(WebhookEvent))}


def cursor() -> datetime | None:
    with transaction():
        return db.session.scalar(select(StripeEventPull.covered_until))


def set_cursor(at: datetime) -> None:
    with transaction():
        db.session.add(StripeEventPull(livemode=False, covered_until=at, pulled_at=at))
