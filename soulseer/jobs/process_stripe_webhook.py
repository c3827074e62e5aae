"""Acts on the inbox's events, and asks Stripe about top-ups whose event was lost or never came (design §2, §5)."""

from collections import Counter
from functools import partial
from typing import Any

import structlog

from soulseer.db import transaction
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.jobs import sweeping
from soulseer.jobs.context import ERROR, JobContext, awoken, whole_number
from soulseer.services import top_ups, webhooks
from soulseer.services.top_ups import Outcome

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Act on the event of the row named by the argument ``event``; without it, on all that is due.

    Gives counts of events by the status they came to (``later``: waits for another event; ``error``: acting on it failed
    in a way that nobody expected), and of top-ups asked about by what that came to.
    """
    wanted = whole_number(context, "event")
    context = awoken(context, "process_stripe_webhook")
    if context.dry_run:
        return {"dry_run": True, "events": webhooks.due(context.now)}
    if wanted is not None:
        status = process_event(context, wanted)
        return {status or "nothing_due": 1}
    counts: Counter[str] = Counter()
    if not sweeping.each(partial(process_event, context), counts):
        webhooks.wake(f"{context.run_id}-rest")
    sweeping.each(partial(check_top_up, context), counts, prefix="top_up_")
    return dict(counts)


def process_event(context: JobContext, event_row_id: int | None = None) -> str | None:
    """Act on one event; the status it came to, None where there was none to take.

    Three steps: take it (a transaction), ask Stripe (outside any), record (a transaction). Whatever fails is written to
    the event, which is tried again later; it stops no other.
    """
    with transaction():
        task = webhooks.claim(context.now, event_row_id)
    if task is None:
        return None
    if task.status is not None:
        return ERROR if task.unexpected else task.status
    try:
        answer = webhooks.look_up(task)
        with transaction():
            return webhooks.apply(task, answer, context.now)
    except StripeUnavailable as error:
        with transaction():
            return webhooks.fail(task.event_row_id, error, context.now)
    except Exception as error:
        log.exception("webhook_event_failed", webhook_event=task.event_id)
        with transaction():
            webhooks.fail(task.event_row_id, error, context.now)
        return ERROR


def check_top_up(context: JobContext) -> str | None:
    """Ask Stripe about one top-up that is due: opened if a crash or an outage came before, credited if its event was
    lost. Gives what it came to, None where none is due."""
    with transaction():
        top_up = top_ups.claim_due(context.now)
    if top_up is None:
        return None
    top_up_id = top_up.id

    def refused(_: StripeRefused) -> str:
        top_ups.record_refusal(top_up_id, context.now)
        return Outcome.FAILED

    return sweeping.outcome_of(
        "top-up",
        top_up_id,
        lambda: top_ups.ask_stripe(top_up),
        lambda checkout: top_ups.record(top_up_id, checkout, context.now).outcome,
        refused,
    )
