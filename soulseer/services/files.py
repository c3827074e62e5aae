"""Private files: announced by a row, put into the storage, confirmed (design §2: intent, call, outcome).

For a door: ``picture`` reads what came in; ``intend`` in a transaction; ``upload`` outside any; ``confirm`` in the
transaction of what the file is for. What was never confirmed is swept (``abandoned``, ``erase``, ``note_removed``).
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO

from sqlalchemy import exists, or_, select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.domain.texts import clean_line
from soulseer.gateways import images
from soulseer.gateways.storage import StorageUnavailable
from soulseer.models.files import StoredFile
from soulseer.models.readings import ReadingMessage, ReadingSession

LONGEST_DESCRIPTION = 300
# Far longer than an upload takes; whoever has not confirmed by then has died.
UNCONFIRMED_FOR = timedelta(hours=1)
RETRY_AFTER = timedelta(minutes=10)
_SWEPT_AT_ONCE = 100


@dataclass(frozen=True)
class Prepared:
    """What is to be stored; ``width`` and ``height`` are a picture's, pixels."""

    content: bytes
    content_type: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Intent:
    """A file that is announced: the row's number, and where its bytes go."""

    file_id: int
    key: str


class FileLost(Conflict):
    code, title = "file_not_confirmed", "The upload took too long; please send the picture again"


def picture(stream: IO[bytes]) -> Prepared:
    """Read a picture and write it anew, small and without metadata. Raises InvalidInput (field ``image``; ``reason`` is
    size, type, pixels, broken or empty)."""
    policy = policies.current().files
    sent = stream.read(policy.most_bytes + 1)
    if not sent:
        raise InvalidInput("image", "Choose a picture.", reason="empty")
    if len(sent) > policy.most_bytes:
        raise InvalidInput("image", f"At most {policy.most_bytes // 1_000_000} MB.", reason="size")
    stream.seek(0)
    made = images.rewrite(stream, longest_side=policy.longest_side, most_pixels=policy.most_pixels)
    return Prepared(made.content, images.CONTENT_TYPE, made.width, made.height)


def intend(
    owner_id: int, purpose: str, prepared: Prepared, now: datetime, *, description: str = ""
) -> Intent:
    """Announce a file of ``purpose`` (a key of SEEN_BY). Raises InvalidInput, KeyError for a purpose that is none."""
    if purpose not in SEEN_BY:
        raise KeyError(purpose)
    row = StoredFile(
        owner_id=owner_id,
        purpose=purpose,
        # Random, so that no key can be guessed from another.
        key=f"{purpose}/{now:%Y/%m}/{uuid.uuid4().hex}",
        state="pending",
        content_type=prepared.content_type,
        size=len(prepared.content),
        sha256=hashlib.sha256(prepared.content).digest(),
        width=prepared.width,
        height=prepared.height,
        description=clean_line("alt", description, LONGEST_DESCRIPTION),
        created_at=now,
        next_check_at=now + UNCONFIRMED_FOR,
    )
    db.session.add(row)
    db.session.flush()
    return Intent(row.id, row.key)


def upload(intent: Intent, prepared: Prepared) -> None:
    """Put the bytes into the storage; outside any transaction. Raises StorageUnavailable."""
    gateways.current().storage.put(intent.key, prepared.content, prepared.content_type)


def confirm(intent: Intent) -> StoredFile:
    """The bytes are there, and so is what they are for. Raises FileLost where the sweep was quicker."""
    row = _locked(intent.file_id)
    if row.state != "pending":
        raise FileLost
    row.state, row.next_check_at = "stored", None
    return row


def remove(file_id: int, now: datetime) -> None:
    """Have the sweep delete a stored file. Raises NotFound."""
    row = _locked(file_id)
    if row.state == "stored":
        row.state, row.next_check_at = "removing", now


def _locked(file_id: int) -> StoredFile:
    row: StoredFile | None = db.session.get(StoredFile, file_id, with_for_update=True)
    if row is None:
        raise NotFound
    return row


def seen_by(file_id: int, person_id: int) -> StoredFile:
    """A stored file that the person may see. Raises NotFound for any other, whether it is there or not."""
    row = db.session.get(StoredFile, file_id)
    if row is None or row.state != "stored" or not SEEN_BY[row.purpose](row, person_id):
        raise NotFound("There is no such file.")
    return row


def content(row: StoredFile) -> bytes:
    """A file's bytes, checked against its row. Raises StorageUnavailable."""
    found = gateways.current().storage.get(row.key)
    if found is None or hashlib.sha256(found.content).digest() != row.sha256:
        raise StorageUnavailable(f"File {row.id} is not in the storage as it was stored.")
    return found.content


def _in_message(row: StoredFile, person_id: int) -> bool:
    """The two participants of the reading that it was sent in, unless a moderator took the message away."""
    statement = select(
        exists().where(
            ReadingMessage.file_id == row.id,
            ReadingMessage.hidden_at.is_(None),
            ReadingSession.id == ReadingMessage.reading_session_id,
            or_(ReadingSession.client_id == person_id, ReadingSession.reader_id == person_id),
        )
    )
    return bool(db.session.scalar(statement))


def _own(row: StoredFile, person_id: int) -> bool:
    """Its owner alone; staff open it by a link that is audited (services/file_access.py)."""
    return row.owner_id == person_id


# Who may see a file, by what it is for.
SEEN_BY: dict[str, Callable[[StoredFile, int], bool]] = {
    "message": _in_message,
    "application_identity": _own,
    "application_photo": _own,
    "application_evidence": _own,
}


def abandoned(now: datetime) -> list[Intent]:
    """Take what is to be deleted: files that were never confirmed, and those that ``remove`` named. In a transaction;
    each comes again after RETRY_AFTER unless ``note_removed`` is told."""
    rows = db.session.scalars(
        select(StoredFile)
        .where(StoredFile.next_check_at <= now)
        .order_by(StoredFile.next_check_at)
        .limit(_SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.state, row.next_check_at = "removing", now + RETRY_AFTER
    return [Intent(row.id, row.key) for row in rows]


def count_abandoned(now: datetime) -> int:
    """How many ``abandoned`` would take."""
    return len(db.session.scalars(select(StoredFile.id).where(StoredFile.next_check_at <= now)).all())


def erase(intent: Intent) -> None:
    """Delete the bytes; outside any transaction. Raises StorageUnavailable."""
    gateways.current().storage.delete(intent.key)


def note_removed(intent: Intent) -> None:
    """The bytes are gone."""
    row = _locked(intent.file_id)
    if row.state == "removing":
        row.state, row.next_check_at = "removed", None
