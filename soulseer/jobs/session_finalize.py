"""Checks ended sessions against the ledger and writes their receipts (design §4, rule 8)."""

from typing import Any

import structlog
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.readings import State
from soulseer.jobs.context import ERROR, JobContext, whole_number
from soulseer.models.readings import ReadingSession
from soulseer.services import connection_samples, finalization
from soulseer.services.settling import lock

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Finalize the session named by the argument ``session``, or all that have ended."""
    wanted = whole_number(context, "session")
    query = (
        select(ReadingSession.id).where(ReadingSession.state == State.ENDED.value).order_by(ReadingSession.id)
    )
    if wanted is not None:
        query = query.where(ReadingSession.id == wanted)
    ids = list(db.session.scalars(query))
    if context.dry_run:
        return {"dry_run": True, "sessions": ids}
    counts = {"finalized": 0, "alerts": 0, ERROR: 0}
    for session_id in ids:
        try:
            # What the pages measured and still waits in Redis, read before anything is locked.
            measured = connection_samples.gathered(session_id)
            with transaction():
                if measured:
                    lock(session_id)
                    connection_samples.keep(session_id, measured)
                agreed = finalization.finalize(session_id, context.now)
        except Exception:
            log.exception("session_not_finalized", session=session_id)
            counts[ERROR] += 1
            continue
        counts["finalized" if agreed else "alerts"] += 1
    return counts
