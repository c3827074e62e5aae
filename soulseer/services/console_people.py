"""People and the audit log for staff."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Row, Select, func, or_, select

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.disputes import SpendingHold
from soulseer.models.ledger import LedgerAccount
from soulseer.models.operations import AuditEntry
from soulseer.models.people import Person, PersonRole
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import LiveParticipant
from soulseer.services.console import Listed, Window, listed, on_days, people_named

_roles = (
    select(func.array_agg(PersonRole.role))
    .where(PersonRole.person_id == Person.id)
    .correlate(Person)
    .scalar_subquery()
    .label("roles")
)


@dataclass(frozen=True)
class Known:
    """One person as support sees them; ``live_session_id`` where they are in a reading now, ``holds`` what stops their
    spending, by kind."""

    person: Person
    profile: ReaderProfile | None
    accounts: Sequence[LedgerAccount]
    live_session_id: int | None
    holds: dict[str, SpendingHold]


def people(
    window: Window,
    *,
    named: str | None = None,
    role: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """People, newest first. ``named``: how a handle or an email address begins, or a whole number of a person."""
    query = select(
        Person.id, Person.handle, Person.email, Person.created_at, Person.suspended_at, _roles
    ).where(*on_days(Person.created_at, since, until))
    if named:
        begins = named.strip().lower()
        query = query.where(
            or_(
                func.lower(Person.handle).startswith(begins, autoescape=True),
                func.lower(Person.email).startswith(begins, autoescape=True),
                Person.id.in_(people_named(begins)),
            )
        )
    if role:
        query = query.where(Person.id.in_(select(PersonRole.person_id).where(PersonRole.role == role)))
    return listed(query, Person.id, window)


def person(person_id: int) -> Person:
    """The person's row, for the head of each part of their page. Two statements. Raises NotFound."""
    found = db.session.get(Person, person_id)
    if found is None:
        raise NotFound(f"There is no person {person_id}.")
    return found


def known(person_id: int) -> Known:
    """One person. Five statements. Raises NotFound."""
    row = db.session.execute(
        select(Person, ReaderProfile, LiveParticipant.reading_session_id)
        .outerjoin(ReaderProfile, ReaderProfile.person_id == Person.id)
        .outerjoin(LiveParticipant, LiveParticipant.person_id == Person.id)
        .where(Person.id == person_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no person {person_id}.")
    accounts = db.session.scalars(
        select(LedgerAccount).where(LedgerAccount.owner_id == person_id).order_by(LedgerAccount.id)
    )
    standing = db.session.scalars(
        select(SpendingHold).where(SpendingHold.person_id == person_id, SpendingHold.lifted_at.is_(None))
    )
    return Known(row[0], row[1], accounts.all(), row[2], {hold.kind: hold for hold in standing})


def _entries() -> Select:
    return select(
        AuditEntry.id, AuditEntry, Person.handle.label("actor"), Person.email.label("actor_email")
    ).outerjoin(Person, Person.id == AuditEntry.actor_id)


def audit_of(object_type: str, object_id: object, limit: int = 20) -> Sequence[Row]:
    """The newest audit entries about one thing; one statement, by its index."""
    return db.session.execute(
        _entries()
        .where(AuditEntry.object_type == object_type, AuditEntry.object_id == str(object_id))
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    ).all()
