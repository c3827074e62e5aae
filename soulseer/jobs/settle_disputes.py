"""Hands answers to the bank over, ends readings of people whose spending is stopped, pays debts out of wallets."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from soulseer.db import transaction
from soulseer.jobs import sweeping
from soulseer.jobs.context import ERROR, JobContext, whole_number
from soulseer.services import dispute_debts, dispute_responses, frozen_readings, holds

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Send the answer of the argument ``response``; without it, everything that is due. Gives counts."""
    wanted = whole_number(context, "response")
    if context.dry_run:
        with transaction():
            return {
                "dry_run": True,
                "readings_to_end": len(frozen_readings.frozen_clients()),
                "debts_to_pay": len(dispute_debts.payable_debtors()),
            }
    if wanted is not None:
        return {send_one(context, wanted) or "nothing_due": 1}
    counts: Counter[str] = Counter()
    sweeping.each(partial(send_one, context), counts, prefix="answer_")
    with transaction():
        frozen, debtors = frozen_readings.frozen_clients(), dispute_debts.payable_debtors()
    for client_id in frozen:
        counts["readings_ended"] += _for(client_id, partial(_end_readings, client_id, context), counts)
    for person_id in debtors:
        counts["debts_paid"] += _for(person_id, partial(_pay_debt, person_id, context), counts)
    return dict(counts)


def _for(person_id: int, do: Callable[[], int], counts: "Counter[str]") -> int:
    """Do it in a transaction; what fails for one person stops no other, and is tried again by the next run."""
    try:
        with transaction():
            return do()
    except Exception:
        log.exception("dispute_not_settled", person=person_id)
        counts[ERROR] += 1
        return 0


def _end_readings(client_id: int, context: JobContext) -> int:
    return len(frozen_readings.end_of(client_id, context.now))


def _pay_debt(person_id: int, context: JobContext) -> int:
    return int(holds.pay_debt(person_id, context.now) > 0)


def send_one(context: JobContext, response_id: int | None = None) -> str | None:
    """Hand over one answer: what came of it, None where none is due."""
    with transaction():
        claimed = dispute_responses.claim(context.now, response_id)
    if claimed is None:
        return None

    def recorded(outcome: str, failure: str | None = None) -> str:
        dispute_responses.record_outcome(claimed, context.now, failure=failure)
        return outcome

    return sweeping.outcome_of(
        "answer to a dispute",
        claimed,
        partial(_hand_over, claimed),
        lambda _: recorded("sent"),
        lambda _: recorded("refused", dispute_responses.REFUSED),
    )


def _hand_over(claimed: int) -> None:
    """Upload the pack if that was not done, then submit or accept. Raises StripeUnavailable, StripeRefused."""
    with transaction():
        response, stripe_dispute_id, document = dispute_responses.get(claimed)
    if document is not None and response.stripe_file_id is None:
        file_id = dispute_responses.upload(response, document)
        with transaction():
            dispute_responses.record_file(claimed, file_id)
            response, stripe_dispute_id, _ = dispute_responses.get(claimed)
    dispute_responses.send(response, stripe_dispute_id)
