"""The chain over the audit log: each entry gets the hash of its content, and of the place and hash before it, so that a
row which somebody changed, removed, put in or moved is found, whoever had the password of the database.

Entries are written without waiting for each other; the chain is made afterwards, by one at a time, of what is announced in
``audit_pending`` (by a trigger, in the entry's own transaction): a late commit is only later in the chain. Whoever rewrites
the whole chain is found by a head that was noted elsewhere: the log has it daily, and ``verify`` takes it.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, or_, select

from soulseer.db import db
from soulseer.models.operations import AuditEntry, AuditLink, AuditPending

BATCH = 1_000
BEGINNING = "0" * 64
# The job runs every minute: what waits longer is told.
LATE = timedelta(hours=1)
# Any number that nothing else in this database locks.
_LOCK_KEY = 0x41_55_44_49_54
_COLUMNS = tuple(column for column in AuditEntry.__table__.columns)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Head:
    """The last place of the chain, and its hash."""

    position: int = 0
    hash: str = BEGINNING
    linked_at: datetime | None = None


@dataclass(frozen=True)
class Fault:
    """A row that is not as it was chained. ``kind``: changed, removed, inserted, order, gap, late, head."""

    kind: str
    position: int | None
    entry: int | None
    detail: str


def content_hash(row: Any) -> str:
    """SHA-256 of an entry's columns as canonical JSON: names sorted, instants in UTC to the microsecond."""
    values = {column.key: getattr(row, column.key) for column in _COLUMNS}
    values["at"] = values["at"].astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def link_hash(before: str, position: int, content: str) -> str:
    """The hash of a place: over the hash before it, the place, and the content's hash."""
    return hashlib.sha256(f"{before}\n{position}\n{content}".encode()).hexdigest()


def head() -> Head:
    """Where the chain ends; one statement."""
    found = db.session.execute(
        select(AuditLink.position, AuditLink.hash, AuditLink.linked_at)
        .order_by(AuditLink.position.desc())
        .limit(1)
    ).one_or_none()
    return Head() if found is None else Head(*found)


def waiting() -> int:
    """How many entries are not chained yet."""
    return db.session.scalar(select(func.count()).select_from(AuditPending)) or 0


def extend(now: datetime, limit: int = BATCH) -> int:
    """Chain up to ``limit`` entries that wait, in the order of their numbers; how many. One at a time: a second caller
    waits for the first one's transaction."""
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCK_KEY)))
    rows = db.session.execute(
        select(*_COLUMNS)
        .join(AuditPending, AuditPending.entry_id == AuditEntry.id)
        .order_by(AuditEntry.id)
        .limit(limit)
    ).all()
    if not rows:
        return 0
    last = head()
    links, before = [], last.hash
    for position, row in enumerate(rows, last.position + 1):
        content = content_hash(row)
        before = link_hash(before, position, content)
        links.append(
            {
                "position": position,
                "entry_id": row.id,
                "content_hash": content,
                "hash": before,
                "linked_at": now,
            }
        )
    db.session.execute(insert(AuditLink), links)
    db.session.execute(delete(AuditPending).where(AuditPending.entry_id.in_([row.id for row in rows])))
    return len(links)


def verify(now: datetime, known: tuple[int, str] | None = None) -> tuple[Head, list[Fault]]:
    """Walk the whole chain: where it ends, and every row that is not as it was chained.

    ``known`` is a place and its hash as they were noted elsewhere. What follows a fault is judged by the hashes that are
    there, so that one changed row is one fault.
    """
    faults: list[Fault] = []
    last = Head()
    for row in _chained():
        faults += _judged(row, last)
        last = Head(row.position, row.hash, row.linked_at)
        if known and row.position == known[0] and row.hash != known[1]:
            faults.append(Fault("head", row.position, row.entry_id, "the hash noted elsewhere is another"))
    if known and known[0] > last.position:
        faults.append(
            Fault("head", known[0], None, f"the chain ends at {last.position}: its end was removed")
        )
    return last, faults + list(_outside(now))


def _chained() -> Iterator[Any]:
    columns = [column.label(column.key) for column in _COLUMNS if column.key != "id"]
    statement = (
        select(
            AuditLink.position,
            AuditLink.entry_id,
            AuditLink.content_hash,
            AuditLink.hash,
            AuditLink.linked_at,
            AuditEntry.id,
            *columns,
        )
        .outerjoin(AuditEntry, AuditEntry.id == AuditLink.entry_id)
        .order_by(AuditLink.position)
    )
    yield from db.session.execute(statement.execution_options(yield_per=BATCH))


def _judged(row: Any, last: Head) -> Iterator[Fault]:
    if row.position != last.position + 1:
        yield Fault("gap", row.position, row.entry_id, f"follows place {last.position}: places are missing")
    elif row.hash != link_hash(last.hash, row.position, row.content_hash):
        yield Fault("order", row.position, row.entry_id, "does not fit the place before it")
    if row.id is None:
        yield Fault("removed", row.position, row.entry_id, "the entry is gone")
    elif content_hash(row) != row.content_hash:
        yield Fault("changed", row.position, row.entry_id, "the entry is not what was chained")


def _outside(now: datetime) -> Iterator[Fault]:
    """Entries without a place: announced ones wait for the job, others were put in past it."""
    found = db.session.execute(
        select(AuditEntry.id, AuditEntry.at, AuditPending.entry_id)
        .outerjoin(AuditLink, AuditLink.entry_id == AuditEntry.id)
        .outerjoin(AuditPending, AuditPending.entry_id == AuditEntry.id)
        .where(AuditLink.entry_id.is_(None), or_(AuditPending.entry_id.is_(None), AuditEntry.at < now - LATE))
        .order_by(AuditEntry.id)
    )
    for number, at, announced in found:
        if announced is None:
            yield Fault("inserted", None, number, "the entry was never announced to the chain")
        else:
            yield Fault("late", None, number, f"waits for the chain since {at.isoformat()}")
    gone = db.session.scalars(
        select(AuditPending.entry_id)
        .outerjoin(AuditEntry, AuditEntry.id == AuditPending.entry_id)
        .where(AuditEntry.id.is_(None))
        .order_by(AuditPending.entry_id)
    )
    for number in gone:
        yield Fault("removed", None, number, "the entry was gone before it was chained")
