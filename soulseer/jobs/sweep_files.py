"""Deletes files whose upload was never confirmed: take them (a transaction), delete (outside any), record (a transaction)."""

from typing import Any

from soulseer import gateways
from soulseer.db import transaction
from soulseer.gateways.storage import StorageUnavailable
from soulseer.jobs.context import JobContext
from soulseer.services import files


def run(context: JobContext) -> dict[str, Any]:
    """Counts of what was removed, and of what has to be tried again. Where no storage is set up, nothing is in it."""
    if context.dry_run:
        return {"dry_run": True, "files": files.count_abandoned(context.now)}
    if not gateways.current().storage.configured:
        return {"off": 1}
    with transaction():
        found = files.abandoned(context.now)
    removed = later = 0
    for intent in found:
        try:
            files.erase(intent)
        except StorageUnavailable:
            later += 1
            continue
        with transaction():
            files.note_removed(intent)
        removed += 1
    return {"removed": removed, "later": later}
