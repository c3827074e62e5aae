"""Acts on the inbox's events, and asks Stripe about top-ups whose event was lost or never came (design §2, §5)."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
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

# An answer of Stripe takes a fifth of a second: a worker that asked one by one would act on five events a second.
ASKED_AT_ONCE = 8


def run(context: JobContext) -> dict[str, Any]:
    """Act on the event of the row named by the argument ``event``; without it, on all that is due.

    Gives counts of events by the status they came to (``later``: waits for another event; ``error``: acting on it failed
    in a way that nobody expected), and of top-ups asked about by what that came to.
    """
    wanted = whole_number(context, "event")
    context = awoken(context, "process_stripe_webhook")
    if context.dry_run:
        return {"dry_run": True, "events": webhooks.due(context.now)}
    with ThreadPoolExecutor(ASKED_AT_ONCE) as askers:
        if wanted is not None:
            return dict(Counter(process_events(context, askers, wanted) or ["nothing_due"]))
        counts: Counter[str] = Counter()
        if not sweeping.batches(partial(process_events, context, askers), counts):
            webhooks.wake(f"{context.run_id}-rest")
    sweeping.each(partial(check_top_up, context), counts, prefix="top_up_")
    return dict(counts)


def process_events(
    context: JobContext, askers: ThreadPoolExecutor, event_row_id: int | None = None
) -> list[str]:
    """Act on the event of this row, or on the few that are due longest; the status that each came to.

    Three steps: take them (a transaction), ask Stripe about all of them at once (outside any), record (a transaction for
    each). Whatever fails is written to the event, which is tried again later; it stops no other.
    """
    with transaction():
        tasks = webhooks.claim(context.now, event_row_id, most=ASKED_AT_ONCE)
    questions = [task for task in tasks if task.status is None]
    # One alone is asked about here, over the connection that this process has kept.
    answers: dict[int, Callable[[], Any]] = {
        task.event_row_id: askers.submit(copy_context().run, webhooks.look_up, task).result
        if len(questions) > 1
        else partial(webhooks.look_up, task)
        for task in questions
    }
    return [
        record(task, answers[task.event_row_id], context)
        if task.status is None
        else (ERROR if task.unexpected else task.status)
        for task in tasks
    ]


def record(task: webhooks.Task, answer: Callable[[], Any], context: JobContext) -> str:
    """Act on an event by what Stripe answers; the status it came to."""
    try:
        word = answer()
        with transaction():
            return webhooks.apply(task, word, context.now)
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
