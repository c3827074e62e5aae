"""Acts on Agora's notifications that were stored and left; books drops of those who left the call's channel."""

from typing import Any

import structlog

from soulseer.db import transaction
from soulseer.jobs.context import ERROR, JobContext
from soulseer.jobs.settling import settle_each
from soulseer.services import agora_notifications, connections

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Both, at ``context.now``: the notifications first, since they may tell of a leave or of a return."""
    waiting = agora_notifications.due(context.now)
    if context.dry_run:
        return {"dry_run": True, "notifications": waiting, "sessions": connections.left_behind(context.now)}
    acted = failed = 0
    for event_row_id in waiting:
        try:
            with transaction():
                agora_notifications.act(event_row_id, context.now)
            acted += 1
        except Exception as error:
            log.exception("agora_notification_failed", webhook_event=event_row_id)
            with transaction():
                agora_notifications.fail(event_row_id, error, context.now)
            failed += 1
    counts = settle_each(connections.left_behind(context.now), context)
    return {**counts, "notifications": acted, ERROR: counts[ERROR] + failed}
