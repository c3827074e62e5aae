"""Makes earnings available whose hold is over; what a reader owes is kept from them first."""

from collections import Counter
from typing import Any

import structlog

from soulseer.db import transaction
from soulseer.domain.errors import InsufficientFunds
from soulseer.jobs.context import ERROR, JobContext, whole_number
from soulseer.services import earnings_release, ledger
from soulseer.services.earnings_release import BATCH

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Release all that is due, or only that of the argument ``reader``; a transaction for each reader's batch.

    One reader's fault stops no other: it is logged, and raised as a ledger alert where the books are why.
    """
    due = earnings_release.due(context.now, whole_number(context, "reader"))
    if context.dry_run:
        return {
            "dry_run": True,
            "readers": [
                {"reader": row.reader_id, "earnings": row.earnings, "amount": str(row.amount)} for row in due
            ],
        }
    counts: Counter[str] = Counter({"readers": 0, "earnings": 0, ERROR: 0})
    for row in due:
        try:
            counts["earnings"] += _release(row.reader_id, context)
            counts["readers"] += 1
        except InsufficientFunds as error:
            counts[ERROR] += 1
            with transaction():
                ledger.raise_alert(
                    "earnings_not_released",
                    f"Reader {row.reader_id}: pending holds {error.missing} less than its earnings.",
                    context.now,
                    reference=f"reader:{row.reader_id}",
                )
        except Exception:
            log.exception("earnings_not_released", reader=row.reader_id)
            counts[ERROR] += 1
    return dict(counts)


def _release(reader_id: int, context: JobContext) -> int:
    """All that is due of one reader; how many earnings."""
    total = 0
    while True:
        with transaction():
            released = earnings_release.release(reader_id, context.now)
        total += released.earnings
        if released.earnings < BATCH:
            return total
