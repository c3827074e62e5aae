"""Payouts for staff: the list, one payout with its lines and entries, readers' accounts at Stripe, and what staff do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Row, or_, select

from soulseer.db import after_commit, db
from soulseer.domain.errors import Conflict, NotFound
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from soulseer.models.payouts import Payout, PayoutAccount, PayoutReversal
from soulseer.models.people import Person
from soulseer.services import audit, payout_accounts, payout_rules, payouts, statements
from soulseer.services.console import Listed, Window, listed, on_days, people_named
from soulseer.services.payout_rules import Standing
from soulseer.services.statements import Line


@dataclass(frozen=True)
class Case:
    """A payout, its reader, the lines that it is made of, and every entry that it made."""

    payout: Payout
    reader: str
    lines: Sequence[Line]
    entries: Sequence[Row]
    reference: str


@dataclass(frozen=True)
class Known:
    """A reader's account at Stripe, where the reader stands, and who paused it."""

    account: PayoutAccount
    reader: str
    paused_by: str | None
    standing: Standing


def listing(
    window: Window,
    *,
    state: str | None = None,
    person: str | None = None,
    stripe: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Payouts, newest first. ``stripe``: the id of a transfer or an account, whole."""
    query = (
        select(Payout.id, Payout, Person.handle.label("reader"))
        .join(Person, Person.id == Payout.person_id)
        .where(*on_days(Payout.created_at, since, until))
    )
    if state:
        query = query.where(Payout.state == state)
    if person:
        query = query.where(Payout.person_id.in_(people_named(person)))
    if stripe:
        owners = select(PayoutAccount.person_id).where(PayoutAccount.stripe_account_id == stripe)
        query = query.where(or_(Payout.stripe_transfer_id == stripe, Payout.person_id.in_(owners)))
    return listed(query, Payout.id, window)


def payout(payout_id: int) -> Case:
    """One payout in full. Three statements. Raises NotFound."""
    found = db.session.execute(
        select(Payout, Person.handle)
        .join(Person, Person.id == Payout.person_id)
        .where(Payout.id == payout_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no payout {payout_id}.")
    row, reader = found
    return Case(row, reader, statements.lines(row), _entries(row), payouts.reference(row))


def _entries(row: Payout) -> Sequence[Row]:
    name = f"payout:{row.id}"
    reversals = select(PayoutReversal.transaction_id).where(PayoutReversal.payout_id == row.id)
    return db.session.execute(
        select(
            LedgerTransaction.id.label("transaction_id"),
            LedgerTransaction.kind,
            LedgerTransaction.created_at,
            LedgerTransaction.stripe_reference,
            LedgerAccount.id.label("account_id"),
            LedgerAccount.kind.label("account_kind"),
            LedgerEntry.amount,
        )
        .join(LedgerEntry, LedgerEntry.transaction_id == LedgerTransaction.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            or_(
                LedgerTransaction.idempotency_key.in_(
                    (name, f"{name}:offset", f"{name}:sent", f"{name}:failed", f"{name}:failed:offset")
                ),
                LedgerTransaction.id.in_(reversals),
            )
        )
        .order_by(LedgerTransaction.id, LedgerEntry.id)
    ).all()


def accounts(
    window: Window, *, person: str | None = None, stripe: str | None = None, status: str | None = None
) -> Listed:
    """Readers' accounts at Stripe, newest readers first. ``status``: paused, ready or incomplete."""
    query = select(PayoutAccount.person_id.label("id"), PayoutAccount, Person.handle.label("reader")).join(
        Person, Person.id == PayoutAccount.person_id
    )
    if person:
        query = query.where(PayoutAccount.person_id.in_(people_named(person)))
    if stripe:
        query = query.where(PayoutAccount.stripe_account_id == stripe)
    if status == "paused":
        query = query.where(PayoutAccount.paused_at.isnot(None))
    elif status == "ready":
        query = query.where(PayoutAccount.paused_at.is_(None), PayoutAccount.transfers_enabled)
    elif status == "incomplete":
        query = query.where(PayoutAccount.paused_at.is_(None), ~PayoutAccount.transfers_enabled)
    return listed(query, PayoutAccount.person_id, window)


def status_of(account: PayoutAccount) -> str:
    """paused, ready or incomplete."""
    if account.paused_at is not None:
        return "paused"
    return "ready" if account.transfers_enabled else "incomplete"


def account(person_id: int) -> Known:
    """One reader's account at Stripe. Raises NotFound."""
    found = payout_accounts.of(person_id)
    if found is None:
        raise NotFound(f"Person {person_id} has not set up payouts.")
    wanted = select(Person.id, Person.handle).where(Person.id.in_([person_id, found.paused_by or person_id]))
    names = {row.id: row.handle for row in db.session.execute(wanted)}
    paused_by = names.get(found.paused_by) if found.paused_by is not None else None
    return Known(found, names[person_id], paused_by, payout_rules.standing(person_id, found))


def retry(payout_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Have an open payout sent again at once, under the key it always had. Raises NotFound, Conflict."""
    row = db.session.scalars(
        select(Payout)
        .where(Payout.id == payout_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no payout {payout_id}.")
    if row.state != "open":
        raise Conflict(f"Payout {payout_id} is {row.state}; only an open one can be sent.")
    row.next_check_at = now
    audit.record("payout.retried", "payout", payout_id, now, actor_id=actor_id, reason=reason)
    after_commit(lambda: payouts.hasten(payout_id))
