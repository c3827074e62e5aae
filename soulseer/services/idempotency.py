"""Idempotency-Key: the answer to a money POST, kept under the person's key in the same transaction as the deed.

The first to claim a key owns its row until the transaction ends; another with the same key waits on that row and then
gets the same answer. A deed with a vendor call in the middle notes its intent, so that a repeat resumes it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.errors import IdempotencyMismatch
from soulseer.models.payments import IdempotencyRecord


@dataclass(frozen=True)
class Claim:
    """``status`` and ``answer`` once answered; before that ``intent`` holds what an earlier attempt noted."""

    person_id: int
    key: str
    status: int | None = None
    answer: dict[str, Any] | None = None
    intent: dict[str, Any] | None = None

    @property
    def answered(self) -> bool:
        return self.status is not None


def claim(person_id: int, key: str, request_hash: str, now: datetime) -> Claim:
    """Take the key inside the open transaction. Raises IdempotencyMismatch where it named another request."""
    taken = db.session.scalar(
        upsert(IdempotencyRecord)
        .values(person_id=person_id, key=key, request_hash=request_hash, created_at=now)
        .on_conflict_do_nothing()
        .returning(IdempotencyRecord.key)
    )
    if taken is not None:
        return Claim(person_id, key)
    record = _locked(person_id, key)
    if record is None:
        # The first one gave the key back between our two statements.
        return claim(person_id, key, request_hash, now)
    if record.request_hash != request_hash:
        raise IdempotencyMismatch()
    if record.status is None:
        return Claim(person_id, key, intent=record.answer)
    return Claim(person_id, key, status=record.status, answer=record.answer)


def note(claimed: Claim, intent: dict[str, Any]) -> None:
    """Keep what a repeat needs to resume (for example the top-up's id), before the vendor is called."""
    record = _locked(claimed.person_id, claimed.key)
    if record is not None and record.status is None:
        record.answer = intent
        db.session.flush()


def store(claimed: Claim, status: int, answer: dict[str, Any]) -> None:
    """Keep the answer: plain JSON values only."""
    record = _locked(claimed.person_id, claimed.key)
    if record is not None:
        record.status, record.answer = status, answer
        db.session.flush()


def give_back(claimed: Claim) -> None:
    """Forget the key, since its request was refused: the same key may try again."""
    db.session.execute(
        delete(IdempotencyRecord).where(
            IdempotencyRecord.person_id == claimed.person_id, IdempotencyRecord.key == claimed.key
        )
    )


def forget_before(instant: datetime) -> int:
    """Delete records older than ``instant``; how many."""
    gone = db.session.execute(
        delete(IdempotencyRecord)
        .where(IdempotencyRecord.created_at < instant)
        .returning(IdempotencyRecord.key)
    )
    return len(gone.all())


def _locked(person_id: int, key: str) -> IdempotencyRecord | None:
    return db.session.scalar(
        select(IdempotencyRecord)
        .where(IdempotencyRecord.person_id == person_id, IdempotencyRecord.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
