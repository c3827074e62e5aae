"""Settling sessions one by one, each in its own transaction: one bad row never stops the rest."""

from collections.abc import Iterable
from typing import Any

import structlog

from soulseer import gateways
from soulseer.db import transaction
from soulseer.domain import policies
from soulseer.domain.readings import State
from soulseer.jobs.context import ERROR, JobContext
from soulseer.services import readings

log = structlog.get_logger(__name__)


def settle_each(session_ids: Iterable[int], context: JobContext) -> dict[str, Any]:
    """Bring each session up to now: counts of settled, paused, ended, and of errors."""
    counts = {"settled": 0, "paused": 0, "ended": 0, ERROR: 0}
    timeout = policies.current().reading.presence_timeout
    presence = gateways.current().presence
    for session_id in session_ids:
        try:
            signs = presence.touch(session_id, None, context.now, timeout)
            with transaction():
                session = readings.observe(session_id, context.now, signs, job_run_id=context.run_id)
                state = session.state
        except Exception:
            # Counted, so that the run is seen to have failed in part; the next run tries this session again.
            log.exception("session_not_settled", session=session_id)
            counts[ERROR] += 1
            continue
        counts["settled"] += 1
        counts["paused"] += state == State.PAUSED
        counts["ended"] += state == State.ENDED
    return counts
