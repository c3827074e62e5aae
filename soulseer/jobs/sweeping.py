"""What every sweep shares: one thing after another until nothing is due or its time is over; intent, call, outcome."""

import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import structlog

from soulseer.db import transaction
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.jobs.context import ERROR

log = structlog.get_logger(__name__)
W = TypeVar("W")

# A worker gets back to its other queues (the tick) before long; the next run goes on with what is left.
LONGEST_SECONDS = 20


def each(step: Callable[[], str | None], counts: "Counter[str]", *, prefix: str = "") -> bool:
    """Call ``step`` until it gives None, adding what each came to to ``counts`` (under ``prefix``, but for errors).

    False where LONGEST_SECONDS were over first, so that something may be left.
    """
    return batches(lambda: [outcome] if (outcome := step()) is not None else [], counts, prefix=prefix)


def batches(step: Callable[[], list[str]], counts: "Counter[str]", *, prefix: str = "") -> bool:
    """The same where a step does several, and gives what each came to; none where nothing was due."""
    over = time.monotonic() + LONGEST_SECONDS
    while outcomes := step():
        for outcome in outcomes:
            counts[outcome if outcome == ERROR else prefix + outcome] += 1
        if time.monotonic() > over:
            return False
    return True


def outcome_of(
    what: str,
    number: int,
    ask: Callable[[], W],
    record: Callable[[W], str],
    refused: Callable[[StripeRefused], str],
) -> str:
    """Ask Stripe about row ``number`` outside any transaction, then ``record`` its word, or that it ``refused``, in one.

    Gives what that came to; ``unanswered`` where Stripe gave no answer, and ``error`` where something failed that
    nobody expected, which is logged. Whatever happens, it stops nothing else: the row is due again by itself.
    """
    try:
        try:
            word = ask()
        except StripeRefused as error:
            with transaction():
                return refused(error)
        with transaction():
            return record(word)
    except StripeUnavailable:
        # The gateway has logged why.
        return "unanswered"
    except Exception:
        log.exception("sweep_failed", what=what, number=number)
        return ERROR
