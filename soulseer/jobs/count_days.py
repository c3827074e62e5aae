"""Counts each day that is over for the console's trends, and checks one day that was counted long ago."""

import time
from typing import Any

from soulseer.db import transaction
from soulseer.jobs.context import JobContext, whole_number
from soulseer.jobs.sweeping import LONGEST_SECONDS
from soulseer.services import console_trends


def run(context: JobContext) -> dict[str, Any]:
    """Count what is due, each day in its own transaction; argument ``days``: the last so many anew.

    ``changed`` are days that were kept otherwise before; a dry run compares and changes nothing.
    """
    with transaction():
        due = console_trends.due_days(context.now, min(whole_number(context, "days") or 0, 3660))
    if context.dry_run:
        with transaction():
            return {"dry_run": True, "days": len(due), "differ": console_trends.differing(due)}
    over = time.monotonic() + LONGEST_SECONDS
    counted, changed = 0, []
    for day in due:
        with transaction():
            if console_trends.count_day(day, context.now):
                changed.append(day.isoformat())
        counted += 1
        if time.monotonic() > over:
            break
    # One settled day each hour, all of the window within three days: what it was must be what it is.
    back = console_trends.UNSETTLED + 1 + int(context.now.timestamp()) // 3600 % (2 * console_trends.SHOWN)
    with transaction():
        differ = console_trends.differing([context.now.date() - back * console_trends.DAY])
    return {"days": counted, "left": len(due) - counted, "changed": changed, "differ": differ}
