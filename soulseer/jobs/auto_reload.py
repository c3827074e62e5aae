"""Tops up wallets that fell below what their owners set, and has Stripe forget cards that they removed (design §2)."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import structlog

from soulseer import gateways
from soulseer.db import transaction
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.gateways.stripe_payments import detach_card
from soulseer.jobs import sweeping
from soulseer.jobs.context import JobContext
from soulseer.models.payments import TopUp
from soulseer.services import customers, reloads

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Finish what is under way, then begin what is due, then forget cards. Gives counts by what became of them."""
    with transaction():
        people = reloads.due(context.now)
    if context.dry_run:
        return {"dry_run": True, "people": people}
    counts: Counter[str] = Counter()
    sweeping.each(partial(check_one, context), counts)
    waiting = iter(people)
    sweeping.each(partial(reload_next, context, waiting), counts)
    sweeping.each(partial(forget_card, context), counts)
    return dict(counts)


def reload_next(context: JobContext, people: Iterator[int]) -> str | None:
    """Charge the card of the next person whose card is still to be charged; what it came to, None after the last."""
    for person_id in people:
        with transaction():
            begun = reloads.begin(person_id, context.now)
        if begun is not None:
            return charge(context, begun)
    return None


def check_one(context: JobContext) -> str | None:
    """Ask about one automatic top-up whose outcome is due; what it came to, None where none is due."""
    with transaction():
        top_up = reloads.claim_due(context.now)
    return None if top_up is None else charge(context, top_up)


def charge(context: JobContext, top_up: TopUp) -> str:
    """Charge the card, or ask what came of it, and record that; what it came to. One that fails stops no other."""
    top_up_id = top_up.id
    return sweeping.outcome_of(
        "automatic top-up",
        top_up_id,
        lambda: reloads.ask_stripe(top_up),
        lambda intent: reloads.record(top_up_id, intent, context.now).outcome,
        lambda _: reloads.record_refusal(top_up_id, context.now).outcome,
    )


def forget_card(context: JobContext) -> str | None:
    """Have Stripe forget one card that its owner removed; None where there is none."""
    with transaction():
        card = customers.claim_retired(context.now)
    if card is None:
        return None
    card_id = card.id
    try:
        detach_card(gateways.current().stripe, card.payment_method_id)
    except StripeUnavailable:
        return "card_unanswered"
    except StripeRefused:
        # It keeps no such card (any more), which is what was wanted.
        log.info("card_was_not_kept", retired_card=card_id)
    with transaction():
        customers.note_detached(card_id, context.now)
    return "card_forgotten"
