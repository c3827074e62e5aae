"""Events about disputes: whatever they say, Stripe is asked for the dispute as it stands now."""

import re
from datetime import datetime

from soulseer import gateways
from soulseer.gateways import stripe_disputes
from soulseer.gateways.stripe_disputes import StripeDispute
from soulseer.services import disputes
from soulseer.services.stripe_events import EventInHand, Handler, Question, Verdict, quarantined

TYPES = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
_DISPUTE_ID = re.compile(r"d[pu]_[A-Za-z0-9_]{1,250}")


def examine(event: EventInHand, now: datetime) -> Verdict | Question:
    """Which dispute the event is about."""
    dispute_id = event.said.get("id")
    if not isinstance(dispute_id, str) or not _DISPUTE_ID.fullmatch(dispute_id):
        return quarantined("the event names no dispute")
    return Question(dispute_id)


def ask(question: Question) -> StripeDispute | None:
    """Stripe's word on the dispute; None where it knows none. Raises StripeUnavailable, StripeRefused."""
    return stripe_disputes.retrieve(gateways.current().stripe, question.stripe_id)


def apply(event: EventInHand, question: Question, word: StripeDispute | None, now: datetime) -> Verdict:
    """Bring our books to what Stripe says."""
    if word is None:
        return quarantined(f"Stripe does not know the dispute {question.stripe_id}")
    return disputes.record(word, now)


HANDLERS: tuple[Handler, ...] = (Handler(types=TYPES, examine=examine, ask=ask, apply=apply),)
