"""Books off promotional credit that has expired, and tells people of what expires soon. No minute waits for it: credit
past its expiry is not spent, however late this runs."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog

from soulseer.db import db, transaction
from soulseer.jobs.context import ERROR, JobContext
from soulseer.services import promotions

log = structlog.get_logger(__name__)

PAGE = 500


def run(context: JobContext) -> dict[str, Any]:
    """Each grant in a transaction of its own: counts of expired, warned and errors, dollars that expired."""
    if context.dry_run:
        rest, soon = promotions.foreseen(context.now)
        return {"dry_run": True, "expired": rest.grants, "amount": str(rest.amount), "warned": soon.grants}
    expired, failed, amount = _each(promotions.due, promotions.expire, context.now)
    warned, not_warned, _ = _each(promotions.unwarned, promotions.warn, context.now)
    return {"expired": expired, "amount": str(amount), "warned": warned, ERROR: failed + not_warned}


def _each(
    find: Callable[[datetime, int, int], list[int]],
    do: Callable[[int, datetime], Decimal],
    now: datetime,
) -> tuple[int, int, Decimal]:
    """Do it for all that ``find`` names: how many were done, how many failed, and the dollars in all."""
    done, failed, total, last = 0, 0, promotions.ZERO, 0
    while True:
        # Closed before the next transaction, so that nothing is read in one that stays open.
        ids = find(now, PAGE, last)
        db.session.rollback()
        if not ids:
            return done, failed, total
        for credit_id in ids:
            try:
                with transaction():
                    amount = do(credit_id, now)
            except Exception:
                # Counted, so that the run is seen to have failed in part; the next run tries this grant again.
                log.exception("promotion_not_expired", credit=credit_id)
                failed += 1
                continue
            done += amount > 0
            total += amount
        last = ids[-1]
