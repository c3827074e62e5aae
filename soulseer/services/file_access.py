"""Private files opened by staff: a link for one person and a few minutes, told in the audit log with who and why."""

import uuid
from datetime import datetime, timedelta

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.files import StoredFile
from soulseer.models.onboarding import FileAccess
from soulseer.services import audit

LASTS = timedelta(minutes=5)


def grant(
    access_id: uuid.UUID,
    file_id: int,
    person_id: int,
    reason: str,
    now: datetime,
    *,
    object_type: str,
    object_id: object,
) -> None:
    """Let ``person_id`` open the file for LASTS, under ``access_id``; both the thing that it belongs to and the file have
    their audit row. Raises NotFound."""
    row: StoredFile | None = db.session.get(StoredFile, file_id)
    if row is None or row.state != "stored":
        raise NotFound("There is no such file.")
    db.session.add(
        FileAccess(
            id=access_id,
            file_id=file_id,
            person_id=person_id,
            reason=reason,
            granted_at=now,
            expires_at=now + LASTS,
        )
    )
    audit.record(
        "file.opened", object_type, object_id, now, actor_id=person_id, reason=reason,
        details={"file": file_id, "purpose": row.purpose},
    )  # fmt: skip


def opened(access_id: uuid.UUID, person_id: int, now: datetime) -> StoredFile:
    """The file behind a link that was granted to this person and still holds. Raises NotFound for any other."""
    access: FileAccess | None = db.session.get(FileAccess, access_id)
    if access is None or access.person_id != person_id or access.expires_at <= now:
        raise NotFound("This link has run out.")
    row: StoredFile = db.session.get_one(StoredFile, access.file_id)
    if row.state != "stored":
        raise NotFound("There is no such file.")
    return row
