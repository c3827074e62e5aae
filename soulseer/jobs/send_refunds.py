"""Sends refunds to the card, and asks Stripe about those whose outcome was not told (design §2)."""

from collections import Counter
from functools import partial
from typing import Any

from soulseer.db import transaction
from soulseer.jobs import sweeping
from soulseer.jobs.context import JobContext, whole_number
from soulseer.services import refund_sending


def run(context: JobContext) -> dict[str, Any]:
    """Ask about the refund of the argument ``refund``; without it, about all that are due. Counts by outcome."""
    wanted = whole_number(context, "refund")
    if context.dry_run:
        return {"dry_run": True, "refunds": refund_sending.due(context.now)}
    if wanted is not None:
        return {send_one(context, wanted) or "nothing_due": 1}
    counts: Counter[str] = Counter()
    sweeping.each(partial(send_one, context), counts)
    return dict(counts)


def send_one(context: JobContext, refund_id: int | None = None) -> str | None:
    """Take one refund that is due (a transaction), ask Stripe (outside any), record (a transaction).

    Gives what it came to, None where none is due. Whatever fails stops no other: the refund is due again by itself.
    """
    with transaction():
        refund = refund_sending.claim_due(context.now, refund_id)
        payment = None if refund is None else refund_sending.payment_of(refund)
    if refund is None or payment is None:
        return None
    number = refund.id
    return sweeping.outcome_of(
        "refund",
        number,
        lambda: refund_sending.ask_stripe(refund, payment, context.now),
        lambda word: refund_sending.record(word, context.now).value,
        lambda _: refund_sending.record_refusal(number, context.now).value,
    )
