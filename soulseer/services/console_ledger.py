"""The books for staff: accounts, transactions with both sides, alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import ColumnElement, Row, Select, case, func, select

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import NotFound
from soulseer.domain.money import from_cents
from soulseer.models.ledger import (
    LedgerAccount,
    LedgerAlert,
    LedgerEntry,
    LedgerShard,
    LedgerTransaction,
    ReadingMinute,
)
from soulseer.models.people import Person
from soulseer.models.readings import ReadingSession
from soulseer.services.console import Listed, Window, listed, on_days, people_named


@dataclass(frozen=True)
class Side:
    """One entry of a transaction: ``amount`` in dollars; ``owner`` None for the platform's accounts."""

    account_id: int
    account_kind: str
    owner_id: int | None
    owner: str | None
    amount: Decimal


@dataclass(frozen=True)
class Booked:
    """A transaction with its sides; ``reversed_by`` the ids of those that take it back."""

    transaction: LedgerTransaction
    sides: Sequence[Side]
    actor: str | None
    reversed_by: Sequence[int]


@dataclass(frozen=True)
class BookedMinute:
    """A paid minute as the transaction that it is."""

    session: ReadingSession
    minute: ReadingMinute
    sides: Sequence[Side]


def _balance() -> ColumnElement[Decimal]:
    """An account's balance; of a hot one the sum of its shards."""
    shards = (
        select(func.sum(LedgerShard.balance))
        .where(LedgerShard.account_id == LedgerAccount.id)
        .correlate(LedgerAccount)
        .scalar_subquery()
    )
    return case((LedgerAccount.hot, shards), else_=LedgerAccount.balance).label("balance")


def _accounts() -> Select:
    return select(
        LedgerAccount.id,
        LedgerAccount,
        _balance(),
        Person.handle.label("owner"),
        Person.email.label("owner_email"),
    ).outerjoin(Person, Person.id == LedgerAccount.owner_id)


def accounts(window: Window, *, kind: str | None = None, owner: str | None = None) -> Listed:
    """Accounts with their balances, newest first. ``owner``: a handle, email address or number."""
    query = _accounts()
    if kind:
        query = query.where(LedgerAccount.kind == kind)
    if owner:
        query = query.where(LedgerAccount.owner_id.in_(people_named(owner)))
    return listed(query, LedgerAccount.id, window)


def account(account_id: int) -> Row:
    """One account: ``LedgerAccount``, ``balance``, ``owner``, ``owner_email``. Raises NotFound."""
    found = db.session.execute(_accounts().where(LedgerAccount.id == account_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no account {account_id}.")
    return found


def transactions(
    window: Window,
    *,
    kind: str | None = None,
    key: str | None = None,
    session: int | None = None,
    stripe: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Ledger transactions but for reading minutes, newest first; ``amount``: what rose, dollars."""
    query = select(LedgerTransaction.id, LedgerTransaction, _moved()).where(
        *on_days(LedgerTransaction.created_at, since, until)
    )
    if kind:
        query = query.where(LedgerTransaction.kind == kind)
    if key:
        query = query.where(LedgerTransaction.idempotency_key == key)
    if session:
        query = query.where(LedgerTransaction.reading_session_id == session)
    if stripe:
        query = query.where(LedgerTransaction.stripe_reference == stripe)
    return listed(query, LedgerTransaction.id, window)


def _moved() -> ColumnElement[Decimal]:
    """The sum of a transaction's rises: what it moved."""
    return (
        select(func.sum(LedgerEntry.amount))
        .where(LedgerEntry.transaction_id == LedgerTransaction.id, LedgerEntry.amount > Decimal(0))
        .correlate(LedgerTransaction)
        .scalar_subquery()
        .label("amount")
    )


def transaction_in_full(transaction_id: int) -> Booked:
    """One transaction with both sides. Three statements. Raises NotFound."""
    found = db.session.execute(
        select(LedgerTransaction, Person.handle)
        .outerjoin(Person, Person.id == LedgerTransaction.actor_id)
        .where(LedgerTransaction.id == transaction_id)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no ledger transaction {transaction_id}.")
    reversed_by = db.session.scalars(
        select(LedgerTransaction.id).where(LedgerTransaction.reverses_id == transaction_id)
    ).all()
    return Booked(found[0], _sides(transaction_id), found[1], reversed_by)


def _sides(transaction_id: int) -> list[Side]:
    rows = db.session.execute(
        select(LedgerEntry.account_id, LedgerAccount.kind, Person.id, Person.handle, LedgerEntry.amount)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .outerjoin(Person, Person.id == LedgerAccount.owner_id)
        .where(LedgerEntry.transaction_id == transaction_id)
        .order_by(LedgerEntry.amount, LedgerEntry.id)
    )
    return [Side(*row) for row in rows]


def minute_in_full(session_id: int, minute: int) -> BookedMinute:
    """One paid minute with its sides. Two statements. Raises NotFound."""
    found = db.session.execute(
        select(ReadingSession, ReadingMinute)
        .join(ReadingMinute, ReadingMinute.reading_session_id == ReadingSession.id)
        .where(ReadingSession.id == session_id, ReadingMinute.minute == minute)
    ).one_or_none()
    if found is None:
        raise NotFound(f"Reading {session_id} has no paid minute {minute}.")
    session, paid = found
    amounts = {
        session.client_account_id: -paid.amount_cents,
        session.reader_account_id: paid.reader_cents,
    }
    is_revenue = (LedgerAccount.kind == AccountKind.PLATFORM_REVENUE.value) & LedgerAccount.owner_id.is_(None)
    rows = db.session.execute(
        select(LedgerAccount.id, LedgerAccount.kind, Person.id, Person.handle)
        .outerjoin(Person, Person.id == LedgerAccount.owner_id)
        .where(LedgerAccount.id.in_(amounts) | is_revenue)
    )
    sides = [Side(*row, amount=from_cents(amounts.get(row[0], paid.platform_cents))) for row in rows]
    return BookedMinute(session, paid, sorted(sides, key=lambda side: side.amount))


def alerts(window: Window, *, status: str | None = None, kind: str | None = None) -> Listed:
    """Ledger alerts, newest first. ``status``: open or resolved."""
    query = select(LedgerAlert.id, LedgerAlert)
    if status:
        is_open = LedgerAlert.resolved_at.is_(None)
        query = query.where(is_open if status == "open" else ~is_open)
    if kind:
        query = query.where(LedgerAlert.kind == kind)
    return listed(query, LedgerAlert.id, window)


def alert(alert_id: int) -> tuple[LedgerAlert, str | None]:
    """One alert and the handle of who resolved it. Raises NotFound."""
    found = db.session.execute(
        select(LedgerAlert, Person.handle)
        .outerjoin(Person, Person.id == LedgerAlert.resolved_by)
        .where(LedgerAlert.id == alert_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no alert {alert_id}.")
    return found[0], found[1]
