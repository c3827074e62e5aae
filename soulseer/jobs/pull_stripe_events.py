"""Reads Stripe's list of events since the last pull and stores those that no webhook brought."""

from functools import partial
from typing import Any

from soulseer import gateways
from soulseer.db import after_commit, transaction
from soulseer.jobs.context import JobArgumentError, JobContext, whole_number
from soulseer.services import event_pulls, webhooks
from soulseer.services.event_pulls import Span


def run(context: JobContext) -> dict[str, Any]:
    """Pull; the argument ``hours`` looks at least so far back, whatever the cursor says. Gives how many events were
    listed and stored, and what time they span. A dry run stores nothing and names those that are missing.

    Raises JobArgumentError, StripeUnavailable (what was stored until then stays; the next pull goes on from there).
    """
    hours = whole_number(context, "hours")
    if hours is not None and hours > event_pulls.LONGEST_HOURS:
        raise JobArgumentError(f"hours: at most {event_pulls.LONGEST_HOURS}; Stripe lists events for 30 days")
    if not gateways.current().stripe.configured:
        return {"not_set_up": 1}
    with transaction():
        span = event_pulls.plan(context.now, hours)
        if not context.dry_run:
            event_pulls.tell_of_loss(span, context.now)
    counts: dict[str, Any] = {"listed": 0, "stored": 0, "missing": []}
    for window in span.windows():
        pull_window(window, context, counts)
    counts.pop("stored" if context.dry_run else "missing")
    return {**counts, "since": span.since.isoformat(), "until": context.now.isoformat()}


def pull_window(window: Span, context: JobContext, counts: dict[str, Any]) -> None:
    """Read a window to its last page, each page stored by itself; only then it counts as covered."""
    after: str | None = None
    while True:
        page = event_pulls.read(window, after)
        counts["listed"] += len(page.events)
        with transaction():
            if context.dry_run:
                counts["missing"] += [one.event.id for one in event_pulls.missing(page.events)]
            else:
                stored = event_pulls.store(page.events, context.now)
                counts["stored"] += len(stored)
                if stored:
                    after_commit(partial(webhooks.wake, stored[0]))
        after = page.next_after
        if after is None:
            break
    if not context.dry_run:
        with transaction():
            event_pulls.cover(window, context.now)
