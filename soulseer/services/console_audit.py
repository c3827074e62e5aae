"""The audit log for staff: narrowed by who, what, whom and when; one entry with its place in the chain."""

from datetime import date
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.operations import AuditEntry, AuditLink
from soulseer.models.people import Person
from soulseer.services.console import Listed, Window, listed, on_days, people_named

_actor, _subject, _approver = aliased(Person), aliased(Person), aliased(Person)


def _entries() -> Select:
    return (
        select(
            AuditEntry.id,
            AuditEntry,
            _actor.handle.label("actor"),
            _actor.email.label("actor_email"),
            _subject.handle.label("subject"),
        )
        .outerjoin(_actor, _actor.id == AuditEntry.actor_id)
        .outerjoin(_subject, _subject.id == AuditEntry.subject_id)
    )


def entries(
    window: Window,
    *,
    actor: str | None = None,
    person: str | None = None,
    action: str | None = None,
    object_type: str | None = None,
    object_id: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """The audit log, newest first. ``actor`` and ``person`` (whom it is about): a handle, email address or number."""
    query = _entries().where(*on_days(AuditEntry.at, since, until))
    if actor:
        query = query.where(AuditEntry.actor_id.in_(people_named(actor)))
    if person:
        query = query.where(AuditEntry.subject_id.in_(people_named(person)))
    for column, wanted in (
        (AuditEntry.action, action),
        (AuditEntry.object_type, object_type),
        (AuditEntry.object_id, object_id),
    ):
        if wanted:
            query = query.where(column == wanted)
    return listed(query, AuditEntry.id, window)


def entry(entry_id: int) -> Row[Any]:
    """One entry: ``AuditEntry``, ``actor``, ``actor_email``, ``subject``, ``approver``, ``AuditLink`` (None until it is
    chained). Raises NotFound."""
    found = db.session.execute(
        _entries()
        .add_columns(_approver.handle.label("approver"), AuditLink)
        .outerjoin(_approver, _approver.id == AuditEntry.approver_id)
        .outerjoin(AuditLink, AuditLink.entry_id == AuditEntry.id)
        .where(AuditEntry.id == entry_id)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no audit entry {entry_id}.")
    return found


def changes(entry: AuditEntry) -> list[tuple[str, Any, Any]]:
    """What changed: (column, before, after), by name."""
    before, after = entry.before or {}, entry.after or {}
    return [(name, before.get(name), after.get(name)) for name in sorted(before | after)]
