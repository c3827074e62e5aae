"""Chains the audit's new entries, and notes the chain's end in the log once a day, where nobody rewrites it with the rows."""

from typing import Any

import structlog

from soulseer.db import db, transaction
from soulseer.jobs.context import JobContext
from soulseer.services import audit_chain

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Batches, each its own transaction: how many entries were chained, and where the chain ends."""
    before, waiting = audit_chain.head(), audit_chain.waiting()
    db.session.rollback()
    if context.dry_run:
        return {"dry_run": True, "chained": waiting}
    chained = 0
    while True:
        with transaction():
            made = audit_chain.extend(context.now)
        chained += made
        if made < audit_chain.BATCH:
            break
    after = audit_chain.head()
    if after.position and (before.linked_at is None or before.linked_at.date() < context.now.date()):
        log.info("audit_head", position=after.position, hash=after.hash)
    return {"chained": chained, "position": after.position, "hash": after.hash}
