"""Hands answers to the bank over, ends readings of people whose spending is stopped, pays debts out of wallets."""

from collections import Counter
from typing import Any

import structlog

from soulseer.db import transaction
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.jobs.context import JobContext, whole_number
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
    while (outcome := send_one(context)) is not None:
        counts[f"answer_{outcome}"] += 1
    with transaction():
        frozen, debtors = frozen_readings.frozen_clients(), dispute_debts.payable_debtors()
    for client_id in frozen:
        with transaction():
            counts["readings_ended"] += len(frozen_readings.end_of(client_id, context.now))
    for person_id in debtors:
        with transaction():
            counts["debts_paid"] += holds.pay_debt(person_id, context.now) > 0
    return dict(counts)


def send_one(context: JobContext, response_id: int | None = None) -> str | None:
    """Hand over one answer: what came of it, None where none is due."""
    with transaction():
        claimed = dispute_responses.claim(context.now, response_id)
    if claimed is None:
        return None
    try:
        with transaction():
            response, stripe_dispute_id, document = dispute_responses.get(claimed)
        if document is not None and response.stripe_file_id is None:
            file_id = dispute_responses.upload(response, document)
            with transaction():
                dispute_responses.record_file(claimed, file_id)
                response, stripe_dispute_id, _ = dispute_responses.get(claimed)
        dispute_responses.send(response, stripe_dispute_id)
        with transaction():
            dispute_responses.record_outcome(claimed, context.now)
        return "sent"
    except StripeUnavailable:
        # It is due again by itself; the gateway has logged why.
        return "unanswered"
    except StripeRefused:
        with transaction():
            dispute_responses.record_outcome(claimed, context.now, failure=dispute_responses.REFUSED)
        return "refused"
