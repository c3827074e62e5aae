"""Warns readers of papers that run out (30 and 7 days before), and closes the paper's gate after its last day."""

from typing import Any

import structlog

from soulseer.db import db, transaction
from soulseer.jobs.context import ERROR, JobContext, whole_number
from soulseer.services import reader_papers

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Each paper in a transaction of its own: counts of noted (Stripe's requirements), warned, closed and errors."""
    only = whole_number(context, "reader")
    counts = {"noted": 0, "warned": 0, "closed": 0, ERROR: 0}
    changed = [person for person in reader_papers.connect_changes() if only in (None, person)]
    if context.dry_run:
        due = [person for person, _ in reader_papers.due(context.now) if only in (None, person)]
        return {"dry_run": True, "noted": len(changed), "due": len(due)}
    db.session.rollback()
    for person_id in changed:
        try:
            with transaction():
                counts["noted"] += reader_papers.note_connect(person_id, context.now)
        except Exception:
            # Counted, so that the run is seen to have failed in part; the next run tries this reader again.
            log.exception("requirements_not_noted", person=person_id)
            counts[ERROR] += 1
    due_now = [found for found in reader_papers.due(context.now) if only in (None, found[0])]
    db.session.rollback()
    for person_id, paper in due_now:
        try:
            with transaction():
                done = reader_papers.tend(person_id, paper, context.now)
            if done is not None:
                counts[done] += 1
        except Exception:
            log.exception("paper_not_tended", person=person_id, paper=paper.value)
            counts[ERROR] += 1
    return counts
