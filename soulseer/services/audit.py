"""The audit log: written in the same transaction as the deed."""

from datetime import datetime
from typing import Any

import structlog

from soulseer.db import db
from soulseer.models.operations import AuditEntry


def record(
    action: str,
    object_type: str,
    object_id: object,
    now: datetime,
    *,
    actor_id: int | None = None,
    reason: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Add an audit row; ``actor_id`` None is the system. Amounts in ``details`` are strings."""
    context = structlog.contextvars.get_contextvars()
    db.session.add(
        AuditEntry(
            actor_id=actor_id,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            reason=reason,
            details=details or {},
            request_id=context.get("request_id"),
            at=now,
        )
    )
