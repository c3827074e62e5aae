"""Compares the books with Stripe's own list: copies the list, books its fees, tells every difference (docs/money.md)."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import structlog

from soulseer import gateways
from soulseer.db import transaction
from soulseer.domain.money import CURRENCY
from soulseer.gateways import stripe_balance
from soulseer.gateways.stripe import StripeRefused
from soulseer.gateways.stripe_balance import Balance
from soulseer.jobs import process_stripe_webhook, pull_stripe_events
from soulseer.jobs.context import JobContext, whole_number
from soulseer.models.payments import TopUp
from soulseer.services import (
    reconciliation,
    reconciliation_booking,
    reconciliation_import,
    reconciliation_mending,
    top_ups,
)
from soulseer.services.event_pulls import LONGEST_HOURS

log = structlog.get_logger(__name__)
# Money may move between reading the list and reading the balance: then both are read again.
MOST_LOOKS = 3


def run(context: JobContext) -> dict[str, Any]:
    """One reconciliation. Arguments: ``days`` reads Stripe's list again that far back and compares all there is;
    ``difference`` asks Stripe again about that one first. Each page and each batch is its own transaction: a run that
    dies is gone on with by the next.

    Gives counts, and ``unexplained`` in dollars. Raises StripeUnavailable, StripeRefused, Conflict where another run
    reads the list.
    """
    days, difference = whole_number(context, "days"), whole_number(context, "difference")
    if not gateways.current().stripe.configured:
        return {"skipped": "Stripe is not set up"}
    if context.dry_run:
        return {"dry_run": True, "open_differences": reconciliation.open_by_class()}
    asked = ask_again(context, difference)
    imported, booked, balance = read_stripe(context, days)
    with transaction():
        compared = reconciliation.compare(context.now, whole=days is not None)
        place: int | None = 0
        while place is not None:
            place = reconciliation.classify(context.now, place)
        run_row = reconciliation.summarize(
            compared, balance, context.now, imported=imported, booked=booked, job_run_id=context.run_id
        )
        return {
            "reconciliation": run_row.id,
            "asked_again": asked,
            "imported": imported,
            "booked": booked,
            "compared": compared.compared,
            "differing": compared.differing,
            "closed": compared.gone,
            "unexplained": str(run_row.unexplained),
        }


def read_stripe(context: JobContext, days: int | None = None) -> tuple[int, int, Balance]:
    """Copy what is new of Stripe's list and book it: (lines, movements, the balance that the list makes)."""
    imported, booked = import_lines(context, days), book(context)
    for _ in range(MOST_LOOKS):
        balance = stripe_balance.balance(gateways.current().stripe, CURRENCY)
        late = import_lines(context)
        imported, booked = imported + late, booked + book(context)
        if not late:
            break
    return imported, booked, balance


def import_lines(context: JobContext, days: int | None = None) -> int:
    """Read one window of Stripe's list to its end; how many lines were new."""
    imported = 0
    with transaction():
        place: reconciliation_import.Place | None = reconciliation_import.begin(context.now, days)
    while place is not None:
        page = reconciliation_import.ask(place)
        with transaction():
            new, place = reconciliation_import.store(place, page, context.now)
        imported += new
    return imported


def book(context: JobContext) -> int:
    """Book the fees and bank transfers of all lines that are stored; how many were new."""
    booked = 0
    while True:
        with transaction():
            some = reconciliation_booking.book(context.now)
        if some is None:
            return booked
        booked += some


def ask_again(context: JobContext, difference_id: int | None = None) -> int:
    """Do what staff asked for about differences whose webhook never came: Stripe is asked, and the answer goes the
    ordinary way. How many were asked about."""
    with transaction():
        wanted = reconciliation_mending.asked(difference_id)
    for asked in wanted:
        if asked.top_up is not None:
            _ask_about(asked.id, asked.top_up, context)
    others = [asked for asked in wanted if asked.top_up is None]
    if others:
        with transaction():
            reconciliation_mending.release_held([asked.id for asked in others], context.now)
        since = datetime.combine(min(asked.day for asked in others), time(), UTC) - timedelta(days=1)
        hours = min(int((context.now - since) / timedelta(hours=1)), LONGEST_HOURS)
        pull_stripe_events.run(replace(context, arguments={"hours": str(hours)}))
        process_stripe_webhook.run(replace(context, arguments={}))
    return len(wanted)


def _ask_about(difference_id: int, top_up: TopUp, context: JobContext) -> None:
    top_up_id = top_up.id
    try:
        checkout = top_ups.ask_stripe(top_up)
    except StripeRefused:
        # Stripe does not know the Checkout session: the difference stays, and says so.
        log.warning("difference_asked_in_vain", difference=difference_id, top_up=top_up_id)
        return
    with transaction():
        outcome = top_ups.record(top_up_id, checkout, context.now).outcome
    log.info("difference_asked_again", difference=difference_id, top_up=top_up_id, outcome=outcome)
