"""The audit log: written in the same transaction as the deed."""

from datetime import datetime
from typing import Any

import structlog

from soulseer.db import db
from soulseer.models.operations import AuditEntry
from soulseer.services import audit_changes

audit_changes.listen()


def record(
    action: str,
    object_type: str,
    object_id: object,
    now: datetime,
    *,
    actor_id: int | None = None,
    approver_id: int | None = None,
    subject_id: int | None = None,
    reason: str = "",
    details: dict[str, Any] | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add an audit row; ``actor_id`` None is the system. Amounts in ``details`` are strings.

    ``before``, ``after`` and ``subject_id`` (whom it is about) follow from the thing's own row where it was changed, or
    read, by this transaction; give them where it was not, or where they say more. The request's id is the log's; a job's
    is its run, as run-17.
    """
    context = structlog.contextvars.get_contextvars()
    db.session.add(
        AuditEntry(
            actor_id=actor_id,
            approver_id=approver_id,
            subject_id=subject_id,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            reason=reason,
            details=details or {},
            before=before,
            after=after,
            request_id=context.get("request_id") or (f"run-{context['run']}" if "run" in context else None),
            at=now,
        )
    )
