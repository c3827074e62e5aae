"""Fills the inbox's holes from Stripe's own list of events: webhooks that were lost are no loss (issue: the pull).

The list is read in windows, oldest first; a window is covered once its last page is stored, and only then the cursor
moves. Whatever breaks in between, the next pull reads the same window again; what is stored already is left alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import db
from soulseer.gateways.stripe_events import LISTED_FOR, EventPage, ListedEvent, list_events
from soulseer.models.payments import StripeEventPull, WebhookEvent
from soulseer.models.people import Person
from soulseer.services import ledger, webhooks

# Read again at every pull: clocks differ, and an event may be listed later than its instant says.
OVERLAP = timedelta(hours=1)
WINDOW = timedelta(hours=6)
# Stripe forgets by its own clock: a request for the very last second of the 30 days would be answered with less.
FURTHEST = LISTED_FOR - timedelta(minutes=5)
LONGEST_HOURS = int(LISTED_FOR / timedelta(hours=1))


@dataclass(frozen=True)
class Span:
    """What is to be read: created from ``since`` on, before ``until``. ``lost_since`` is the cursor where it is older
    than what Stripe still lists, else None."""

    since: datetime
    until: datetime
    lost_since: datetime | None = None

    def windows(self) -> Iterator["Span"]:
        """The span in parts, oldest first."""
        start = self.since
        while start < self.until:
            end = min(start + WINDOW, self.until)
            yield Span(start, end)
            start = end


def covered_until() -> datetime | None:
    """The cursor of our mode of Stripe; None before the first pull."""
    return db.session.scalar(
        select(StripeEventPull.covered_until).where(StripeEventPull.livemode == _livemode())
    )


def plan(now: datetime, hours: int | None = None) -> Span:
    """What a pull at ``now`` has to read: from the cursor, or from ``hours`` back where that is longer ago.

    Without a cursor it begins with our first person: no payment of ours can be older.
    """
    cursor = covered_until()
    begin = cursor if cursor is not None else _first_person() or now
    since = begin - OVERLAP
    if hours is not None:
        since = min(since, now - timedelta(hours=hours))
    furthest = now - FURTHEST
    lost = cursor if cursor is not None and cursor < furthest else None
    return Span(max(since, furthest), now + timedelta(seconds=1), lost)


def read(span: Span, after: str | None = None) -> EventPage:
    """A page of Stripe's list. Call it outside any transaction. Raises StripeUnavailable, StripeRefused."""
    return list_events(gateways.current().stripe, span.since, span.until, after)


def missing(events: Sequence[ListedEvent]) -> list[ListedEvent]:
    """Those that are not in the inbox, oldest first."""
    ids = [listed.event.id for listed in events]
    known = set(
        db.session.scalars(
            select(WebhookEvent.event_id).where(
                WebhookEvent.vendor == webhooks.VENDOR, WebhookEvent.event_id.in_(ids)
            )
        )
    )
    return [listed for listed in reversed(events) if listed.event.id not in known]


def store(events: Sequence[ListedEvent], now: datetime) -> list[int]:
    """Store those that are not in the inbox; their rows' ids. Two statements."""
    lacking = missing(events)
    if not lacking:
        return []
    rows = [webhooks.as_row(one.event, one.payload, now, came_by="pull") for one in lacking]
    # A webhook may bring one of them at this very moment.
    inserted = upsert(WebhookEvent).values(rows).on_conflict_do_nothing(index_elements=["vendor", "event_id"])
    return list(db.session.scalars(inserted.returning(WebhookEvent.id)))


def cover(span: Span, now: datetime) -> None:
    """Every event of ``span`` is stored: move the cursor to its end, never back and never ahead of ``now``."""
    until = min(span.until, now)
    row = db.session.get(StripeEventPull, _livemode(), with_for_update=True, populate_existing=True)
    if row is None:
        db.session.execute(
            upsert(StripeEventPull)
            .values(livemode=_livemode(), covered_until=until, pulled_at=now)
            .on_conflict_do_nothing()
        )
        return
    row.covered_until, row.pulled_at = max(row.covered_until, until), now


def tell_of_loss(span: Span, now: datetime) -> None:
    """Put before a person that Stripe no longer lists what came between the cursor and ``span.since``."""
    if span.lost_since is not None:
        ledger.raise_alert(
            "stripe_events_lost",
            f"Stripe lists events for 30 days; those made between {span.lost_since:%Y-%m-%d %H:%M} and "
            f"{span.since:%Y-%m-%d %H:%M} UTC were never read. Reconciliation finds what they were about.",
            now,
            reference=f"{span.lost_since:%Y%m%dT%H%M%SZ}",
        )


def _first_person() -> datetime | None:
    return db.session.scalar(select(Person.created_at).order_by(Person.id).limit(1))


def _livemode() -> bool:
    return gateways.current().stripe.livemode
