"""Lifts suspensions whose last day is over: the person may come in again, a reader is listed again."""

from typing import Any

import structlog

from soulseer.db import db, transaction
from soulseer.jobs.context import ERROR, JobContext
from soulseer.services import suspensions

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Each person in a transaction of their own: counts of lifted and errors."""
    people = suspensions.due(context.now)
    db.session.rollback()
    if context.dry_run:
        return {"dry_run": True, "lifted": len(people)}
    counts = {"lifted": 0, ERROR: 0}
    for person_id in people:
        try:
            with transaction():
                counts["lifted"] += suspensions.end_of_time(person_id, context.now)
        except Exception:
            # Counted, so that the run is seen to have failed in part; the next run tries this person again.
            log.exception("suspension_not_lifted", person=person_id)
            counts[ERROR] += 1
    return counts
