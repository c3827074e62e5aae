"""Promotional credit for staff: every grant, one with what it paid for, and what one person holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.people import Person
from soulseer.models.promotions import PromotionalCredit, PromotionalSpend
from soulseer.services import promotions
from soulseer.services.console import Listed, Window, listed, on_days, people_named
from soulseer.services.promotions import Holding

_giver = aliased(Person)
SPENDS = 50


@dataclass(frozen=True)
class Case:
    """One grant: ``row`` as in the list, what it paid for by purpose (``purpose``, ``amount``, ``returned`` in
    dollars, ``transaction_id`` of the newest), and the grants that came back of it."""

    row: Row
    spends: Sequence[Row]
    returned: Sequence[PromotionalCredit]


@dataclass(frozen=True)
class Client:
    """A person with what they can spend and their newest grants."""

    person: Person
    held: Holding
    grants: Sequence[PromotionalCredit]


def _grants() -> Select:
    return (
        select(
            PromotionalCredit.id,
            PromotionalCredit,
            Person.handle.label("person"),
            Person.email.label("person_email"),
            _giver.handle.label("giver"),
        )
        .join(Person, Person.id == PromotionalCredit.person_id)
        .outerjoin(_giver, _giver.id == PromotionalCredit.granted_by)
    )


def grants(
    window: Window,
    *,
    state: str | None = None,
    person: str | None = None,
    giver: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Grants, newest first. ``person`` and ``giver``: a handle, email address or number."""
    query = _grants().where(*on_days(PromotionalCredit.created_at, since, until))
    if state:
        query = query.where(PromotionalCredit.state == state)
    if person:
        query = query.where(PromotionalCredit.person_id.in_(people_named(person)))
    if giver:
        query = query.where(PromotionalCredit.granted_by.in_(people_named(giver)))
    return listed(query, PromotionalCredit.id, window)


def grant(credit_id: int) -> Case:
    """One grant. Three statements. Raises NotFound."""
    row = db.session.execute(_grants().where(PromotionalCredit.id == credit_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no promotional credit {credit_id}.")
    newest = func.max(PromotionalSpend.transaction_id)
    spends = db.session.execute(
        select(
            PromotionalSpend.purpose,
            func.sum(PromotionalSpend.amount).label("amount"),
            func.sum(PromotionalSpend.returned).label("returned"),
            newest.label("transaction_id"),
        )
        .where(PromotionalSpend.promotional_credit_id == credit_id)
        .group_by(PromotionalSpend.purpose)
        .order_by(newest.desc())
        .limit(SPENDS)
    ).all()
    returned = db.session.scalars(
        select(PromotionalCredit)
        .where(PromotionalCredit.source_id == credit_id)
        .order_by(PromotionalCredit.id.desc())
        .limit(SPENDS)
    ).all()
    return Case(row, spends, returned)


def client(person_id: int, now: datetime) -> Client:
    """What one person holds. Three statements. Raises NotFound."""
    person = db.session.get(Person, person_id)
    if person is None:
        raise NotFound(f"There is no person {person_id}.")
    return Client(person, promotions.holding(person_id, now), promotions.of_person(person_id))
