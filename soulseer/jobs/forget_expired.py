"""Deletes what has served its time: answers kept under Idempotency-Keys, measurements of calls. Nothing with money is
ever deleted."""

from datetime import timedelta
from typing import Any

from soulseer.db import transaction
from soulseer.jobs.context import JobContext
from soulseer.services import connection_samples, idempotency

# Far longer than anybody retries a request.
KEPT_FOR = timedelta(days=30)
# A bank asks about a payment for a year at most; what Agora signed is kept for good, beside the money.
MEASUREMENTS_KEPT_FOR = timedelta(days=400)


def run(context: JobContext) -> dict[str, Any]:
    """Forget records older than KEPT_FOR, and measurements older than MEASUREMENTS_KEPT_FOR, at ``context.now``."""
    if context.dry_run:
        return {"dry_run": True, "before": (context.now - KEPT_FOR).isoformat()}
    with transaction():
        return {
            "idempotency_records": idempotency.forget_before(context.now - KEPT_FOR),
            "connection_records": connection_samples.forget_before(context.now - MEASUREMENTS_KEPT_FOR),
        }
