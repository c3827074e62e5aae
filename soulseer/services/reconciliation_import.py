"""Stripe's balance transactions, copied line by line: read with overlap, stored once, resumed after a crash."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.errors import Conflict
from soulseer.domain.money import CURRENCY, from_cents
from soulseer.gateways import stripe_balance
from soulseer.gateways.stripe_balance import Page
from soulseer.models.reconciliation import StripeBalanceTransaction, StripeImport
from soulseer.services import ledger

NAME = "balance_transactions"
# Lines are listed by the instant that Stripe gave them; one that shows up late is still found.
OVERLAP = timedelta(days=2)


@dataclass(frozen=True)
class Place:
    """Where the reading stands: the next page to ask for. ``since`` None: since ever."""

    since: datetime | None
    after: str | None


def begin(now: datetime, days: int | None = None) -> Place:
    """Where to read on: inside an unfinished window, or from the last line seen less OVERLAP; from ``days`` before
    ``now`` where they are given and reach back further."""
    db.session.execute(upsert(StripeImport).values(name=NAME).on_conflict_do_nothing(index_elements=["name"]))
    row = _locked()
    since = None if row.seen_until is None else row.seen_until - OVERLAP
    if days is not None and since is not None:
        since = min(since, now - timedelta(days=days))
        row.page_after, row.window_to = None, None
    if row.page_after is None:
        row.window_from, row.window_to = since, None
    return Place(row.window_from, row.page_after)


def ask(place: Place) -> Page:
    """The next page. Call it outside any transaction. Raises StripeUnavailable, StripeRefused."""
    return stripe_balance.page(gateways.current().stripe, place.since, place.after)


def store(place: Place, page: Page, now: datetime) -> tuple[int, Place | None]:
    """Store the page's lines: (how many are new, where to go on; None at the end of the window).

    Raises Conflict where another run has read on meanwhile.
    """
    row = _locked()
    if (row.window_from, row.page_after) != (place.since, place.after):
        raise Conflict("Another run is reading Stripe's list.")
    new = _insert(page, now)
    if page.lines and place.after is None:
        row.window_to = page.lines[0].created
    if page.more:
        row.page_after = page.lines[-1].id
        return new, Place(place.since, row.page_after)
    # What the window had is here; one without a line says nothing new.
    if row.window_to is not None and (row.seen_until is None or row.window_to > row.seen_until):
        row.seen_until = row.window_to
    row.page_after = row.window_from = row.window_to = None
    return new, None


def _insert(page: Page, now: datetime) -> int:
    lines: list[dict[str, Any]] = [
        {
            "stripe_id": line.id,
            "type": line.type,
            "amount": from_cents(line.amount),
            "fee": from_cents(line.fee),
            "net": from_cents(line.net),
            "currency": line.currency,
            "source": line.source,
            "reference": line.reference,
            "source_facts": dict(line.source_facts),
            "created": line.created,
            "available_on": line.available_on,
            "payload": dict(line.payload),
            "imported_at": now,
        }
        # Oldest first, so that ids go by age.
        for line in reversed(page.lines)
    ]
    if not lines:
        return 0
    new = db.session.execute(
        upsert(StripeBalanceTransaction)
        .values(lines)
        .on_conflict_do_nothing(index_elements=["stripe_id"])
        .returning(StripeBalanceTransaction.stripe_id, StripeBalanceTransaction.currency)
    ).all()
    for stripe_id, currency in new:
        if currency != CURRENCY:
            ledger.raise_alert(
                "stripe_balance_currency",
                f"{stripe_id} is in {currency}; the books are in {CURRENCY}",
                now,
                reference=stripe_id,
            )
    return len(new)


def _locked() -> StripeImport:
    return db.session.scalars(
        select(StripeImport)
        .where(StripeImport.name == NAME)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
