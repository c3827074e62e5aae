"""Brings the queues of readers and "tell me when free" up to now, and rings again what Redis may have lost."""

from typing import Any

import structlog

from soulseer.db import db, transaction
from soulseer.jobs.context import ERROR, JobContext, whole_number
from soulseer.services import ringing, waiting_turns

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """The reader named by the argument ``reader``, or all for whom something is due: each in its own transaction."""
    wanted = whole_number(context, "reader")
    readers = waiting_turns.due_readers(context.now) if wanted is None else [wanted]
    db.session.rollback()
    if context.dry_run:
        return {"dry_run": True, "readers": readers}
    counts = {"readers": 0, "held": 0, "lapsed": 0, "closed": 0, "told": 0, "expired": 0, ERROR: 0}
    for reader_id in readers:
        try:
            with transaction():
                done = waiting_turns.tend(reader_id, context.now)
        except Exception:
            # Counted, so that the run is seen to have failed in part; the next run tries this reader again.
            log.exception("waiting_not_tended", reader=reader_id)
            counts[ERROR] += 1
            continue
        counts["readers"] += 1
        for name, number in done.items():
            counts[name] += number
    if wanted is None:
        counts["rings"] = ringing.ring_again(context.now) + waiting_turns.ring_again(context.now)
    return counts
