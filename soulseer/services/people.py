"""People: made at the first sign-in or the first valid bearer token, with a handle and a wallet at 0.00."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import Read, db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.domain.identity import Identity, handles_for
from soulseer.domain.money import CURRENCY
from soulseer.models.ledger import LedgerAccount
from soulseer.models.people import ROLES, STAFF_ROLES, Person, PersonRole
from soulseer.services import audit, holds, ledger, promotions, ringing, waiting_view

READER_ACCOUNTS = (AccountKind.READER_EARNINGS_PENDING, AccountKind.READER_EARNINGS_AVAILABLE)

# Tables rather than entities, and built once: every request asks this, and building it anew costs more than the answer.
_person: Any = Person.__table__
_role: Any = PersonRole.__table__
_account: Any = LedgerAccount.__table__
# Who calls, and what they hold: all that the room's polls ask.
CALLER: Select[Any] = select(
    _person.c.id,
    _person.c.handle,
    _person.c.email,
    _person.c.time_zone,
    _person.c.suspended_at,
    select(func.array_agg(_role.c.role))
    .where(_role.c.person_id == _person.c.id)
    .correlate(_person)
    .scalar_subquery()
    .label("roles"),
    select(_account.c.balance)
    .where(
        _account.c.owner_id == _person.c.id,
        _account.c.kind == AccountKind.CLIENT_WALLET.value,
        _account.c.currency == CURRENCY,
    )
    .correlate(_person)
    .scalar_subquery()
    .label("wallet"),
    promotions.total_of(_person.c.id == promotions.OWNER).label("promotional"),
    promotions.next_expiry_of(_person.c.id == promotions.OWNER).label("next_expiry"),
)
# What ``signed_in_from`` needs; one statement, roles included.
COLUMNS: Select[Any] = CALLER.add_columns(
    holds.STANDING_OF_PERSON.label("hold"),
    ringing.ONLINE_OF_PERSON.label("online"),
    waiting_view.WAITS_OF_PERSON.label("waits"),
)
_BY_SUBJECT = Read(
    COLUMNS.where(_person.c.issuer == bindparam("issuer"), _person.c.subject == bindparam("subject"))
)


@dataclass(frozen=True)
class SignedIn:
    """The person behind this request, read once; ``login_id`` is None where a bearer token speaks for them.

    ``wallet`` is the balance in dollars when the request began, None without a wallet: for show, in a request that
    has not written anything (``db.has_written``); so is ``promotional``, the credit that was good then, of which the
    first expires at ``next_expiry``. ``hold`` is why the person cannot spend now, None where they can. ``online``: a
    reader whom clients may ring. ``waits``: in a queue, or for word that a reader is free.
    """

    id: int
    handle: str
    email: str | None
    time_zone: str
    roles: frozenset[str]
    suspended: bool = False
    login_id: uuid.UUID | None = None
    wallet: Decimal | None = None
    promotional: Decimal = promotions.ZERO
    next_expiry: datetime | None = None
    hold: str | None = None
    online: bool = False
    waits: bool = False
    # Of the login, for the back office: a second factor was asked for; when it began, and was last used there.
    second_factor: bool = False
    login_at: datetime | None = None
    console_seen_at: datetime | None = None

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What Flask-Login puts into the cookie: the login's id, never the person's."""
        return str(self.login_id)

    @property
    def is_staff(self) -> bool:
        return any(role in STAFF_ROLES for role in self.roles)

    @property
    def held(self) -> promotions.Holding | None:
        """What could be spent when the request began; None without a wallet."""
        if self.wallet is None:
            return None
        return promotions.Holding(self.wallet, self.promotional, self.next_expiry)

    @property
    def person(self) -> Person:
        """The row itself, read anew (two statements)."""
        return db.session.get_one(Person, self.id)


def signed_in_from(row: Row[Any], login_id: uuid.UUID | None = None) -> SignedIn:
    """The person of a row of ``COLUMNS``."""
    return caller_from(row, login_id, hold=row.hold, online=row.online, waits=row.waits)


def caller_from(row: Row[Any], login_id: uuid.UUID | None = None, **more: Any) -> SignedIn:
    """The person of a row of ``CALLER``; ``more`` is what else is known of them."""
    return SignedIn(
        id=row.id,
        handle=row.handle,
        email=row.email,
        time_zone=row.time_zone,
        roles=frozenset(row.roles or ()),
        suspended=row.suspended_at is not None,
        login_id=login_id,
        wallet=row.wallet,
        promotional=row.promotional,
        next_expiry=row.next_expiry,
        **more,
    )


def find(issuer: str, subject: str, now: datetime) -> SignedIn | None:
    """The person of this issuer and subject, if any. One statement."""
    row = _BY_SUBJECT.first({"issuer": issuer, "subject": subject, "now": now})
    return None if row is None else signed_in_from(row)


def ensure(identity: Identity, now: datetime) -> tuple[int, bool]:
    """Find or make the person: (id, whether new). Two at once make one.

    A new person gets a handle, the role ``client`` and a wallet at 0.00; a known one, a changed email address.
    """
    known = _id_of(identity)
    if known is not None:
        _update_email(known, identity)
        return known, False
    for handle in handles_for(identity):
        # No conflict target: the pair (issuer, subject) may be taken, or the handle.
        made = db.session.scalar(
            upsert(Person)
            .values(
                issuer=identity.issuer,
                subject=identity.subject,
                email=identity.email,
                email_verified=identity.email_verified,
                handle=handle,
                time_zone="UTC",
                created_at=now,
            )
            .on_conflict_do_nothing()
            .returning(Person.id)
        )
        if made is not None:
            db.session.execute(upsert(PersonRole).values(person_id=made, role="client", granted_at=now))
            ledger.open_accounts(made, [AccountKind.CLIENT_WALLET], now)
            audit.record("person_created", "person", made, now, actor_id=made, details={"handle": handle})
            return made, True
        known = _id_of(identity)
        if known is not None:
            return known, False
    raise Conflict("No free handle was found; please try again.")


def _id_of(identity: Identity) -> int | None:
    return db.session.scalar(
        select(Person.id).where(Person.issuer == identity.issuer, Person.subject == identity.subject)
    )


def _update_email(person_id: int, identity: Identity) -> None:
    if identity.email is None:
        return
    changed = or_(
        Person.email.is_distinct_from(identity.email),
        Person.email_verified.is_distinct_from(identity.email_verified),
    )
    db.session.execute(
        update(Person)
        .where(Person.id == person_id, changed)
        .values(email=identity.email, email_verified=identity.email_verified)
    )


def by_email(email: str) -> list[Person]:
    """Everybody with this address, whatever its case; several are possible, one for each subject."""
    return list(
        db.session.scalars(
            select(Person).where(func.lower(Person.email) == email.strip().lower()).order_by(Person.id)
        )
    )


def the_one_with(email: str) -> Person:
    """The only person with this address. Raises NotFound; Conflict with ``candidates`` where it is ambiguous."""
    found = by_email(email)
    if not found:
        raise NotFound(f"Nobody signs in with {email}.")
    if len(found) > 1:
        candidates = [
            {"id": p.id, "handle": p.handle, "issuer": p.issuer, "subject": p.subject} for p in found
        ]
        raise Conflict(f"{len(found)} people sign in with {email}.", candidates=candidates)
    return found[0]


def grant_role(
    person_id: int, role: str, now: datetime, *, actor_id: int | None = None, reason: str = ""
) -> bool:
    """Give the role; False if it was held. ``reader`` opens the earnings accounts. Raises InvalidInput."""
    _check_role(role)
    given = db.session.scalar(
        upsert(PersonRole)
        .values(person_id=person_id, role=role, granted_at=now)
        .on_conflict_do_nothing()
        .returning(PersonRole.person_id)
    )
    if role == "reader":
        ledger.open_accounts(person_id, READER_ACCOUNTS, now)
    if role == "client":
        ledger.open_accounts(person_id, [AccountKind.CLIENT_WALLET], now)
    if given is None:
        return False
    audit.record(
        "role_granted", "person", person_id, now, actor_id=actor_id, reason=reason, details={"role": role}
    )
    return True


def remove_role(
    person_id: int, role: str, now: datetime, *, actor_id: int | None = None, reason: str = ""
) -> bool:
    """Take the role away; False if it was not held. Accounts and what is in them stay. Raises InvalidInput."""
    _check_role(role)
    taken = db.session.scalar(
        delete(PersonRole)
        .where(PersonRole.person_id == person_id, PersonRole.role == role)
        .returning(PersonRole.role)
    )
    if taken is None:
        return False
    audit.record(
        "role_removed", "person", person_id, now, actor_id=actor_id, reason=reason, details={"role": role}
    )
    return True


def roles_of(person_id: int) -> frozenset[str]:
    """The roles that the person holds now."""
    return frozenset(db.session.scalars(select(PersonRole.role).where(PersonRole.person_id == person_id)))


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise InvalidInput("role", f"There is no role “{role}”; there are {', '.join(ROLES)}.")
