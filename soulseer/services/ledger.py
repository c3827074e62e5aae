"""Posting to the ledger: double entry, idempotent, legal movements only (design §3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import bindparam, func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import Read, db
from soulseer.domain.accounts import CHART, PLATFORM_KINDS, AccountKind
from soulseer.domain.errors import InsufficientFunds, TransferNotAllowed
from soulseer.domain.money import CURRENCY, to_cents
from soulseer.domain.transfers import TransferKind, check_legal
from soulseer.models.ledger import LedgerAccount, LedgerAlert, LedgerEntry, LedgerShard, LedgerTransaction

EARNED_KINDS = (
    AccountKind.READER_EARNINGS_PENDING,
    AccountKind.READER_EARNINGS_AVAILABLE,
    AccountKind.READER_RECEIVABLE,
)

# Built once, on the table: every page asks it, and building it costs more than its answer.
_account: Any = LedgerAccount.__table__
_BALANCE = Read(
    select(_account.c.balance).where(
        _account.c.owner_id == bindparam("owner"),
        _account.c.kind == bindparam("kind"),
        _account.c.currency == CURRENCY,
    )
)


@dataclass(frozen=True)
class Posting:
    """One entry to be: ``amount`` in dollars, positive where the account rises."""

    account_id: int
    amount: Decimal


def open_accounts(owner_id: int, kinds: Sequence[AccountKind], now: datetime) -> None:
    """Open the person's accounts of ``kinds`` at 0.00; those that exist stay as they are."""
    db.session.execute(
        upsert(LedgerAccount)
        .values(
            [
                {
                    "owner_id": owner_id,
                    "kind": kind.value,
                    "floor": None
                    if CHART[kind].floor_cents is None
                    else Decimal(CHART[kind].floor_cents or 0),
                    "balance": Decimal(0),
                    "currency": CURRENCY,
                    "hot": False,
                    "created_at": now,
                }
                for kind in kinds
            ]
        )
        .on_conflict_do_nothing()
    )


def account_id(kind: AccountKind, owner_id: int | None = None) -> int:
    """The id of a person's account, or of the platform's. Raises LookupError if it was never opened."""
    if (kind in PLATFORM_KINDS) != (owner_id is None):
        raise LookupError(f"{kind} has {'no' if kind in PLATFORM_KINDS else 'an'} owner")
    found = db.session.scalar(
        select(LedgerAccount.id).where(
            LedgerAccount.kind == kind.value,
            LedgerAccount.owner_id == owner_id if owner_id is not None else LedgerAccount.owner_id.is_(None),
            LedgerAccount.currency == CURRENCY,
        )
    )
    if found is None:
        raise LookupError(f"no account {kind} of {owner_id}")
    return found


def lock_account(kind: AccountKind, owner_id: int) -> LedgerAccount:
    """A person's account with its row locked. Raises LookupError if it was never opened."""
    account: LedgerAccount | None = db.session.scalar(
        select(LedgerAccount)
        .where(
            LedgerAccount.owner_id == owner_id,
            LedgerAccount.kind == kind.value,
            LedgerAccount.currency == CURRENCY,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if account is None:
        raise LookupError(f"no account {kind} of {owner_id}")
    return account


def lock_accounts(
    ids: Iterable[int], *, earnings_of: Iterable[int] = (), credit_of: Iterable[int] = ()
) -> Decimal:
    """Lock accounts in id order: ``ids``, all that the readers ``earnings_of`` have earned or owe, and the promotional
    credit of the clients ``credit_of``. Whoever moves money more than once in a transaction locks all of it first, so
    that nobody waits in a circle.

    Gives the dollars of promotional credit that were locked, what is past its expiry and not booked as such included.
    """
    locked = db.session.execute(
        select(LedgerAccount.kind, LedgerAccount.balance)
        .where(
            or_(
                LedgerAccount.id.in_(list(ids)),
                LedgerAccount.owner_id.in_(list(earnings_of)) & LedgerAccount.kind.in_(EARNED_KINDS),
                LedgerAccount.owner_id.in_(list(credit_of))
                & (LedgerAccount.kind == AccountKind.CLIENT_PROMOTIONAL_CREDIT.value),
            )
        )
        .order_by(LedgerAccount.id)
        .with_for_update(key_share=True)
    )
    credit = (row.balance for row in locked if row.kind == AccountKind.CLIENT_PROMOTIONAL_CREDIT)
    return sum(credit, Decimal("0.00"))


def balance(kind: AccountKind, owner_id: int) -> Decimal:
    """The cached balance of a person's account in dollars; 0.00 where it was never opened."""
    found: Decimal | None = _BALANCE.scalar({"owner": owner_id, "kind": kind.value})
    return Decimal("0.00") if found is None else found


def platform_balance(kind: AccountKind) -> Decimal:
    """The balance of one of the platform's accounts: the sum of its shards, dollars."""
    total = db.session.scalar(
        select(func.sum(LedgerShard.balance))
        .join(LedgerAccount, LedgerAccount.id == LedgerShard.account_id)
        .where(LedgerAccount.kind == kind.value)
    )
    return Decimal("0.00") if total is None else total


def post(
    kind: TransferKind,
    idempotency_key: str,
    postings: Sequence[Posting],
    now: datetime,
    *,
    reading_session_id: int | None = None,
    stripe_reference: str | None = None,
    reverses_id: int | None = None,
    actor_id: int | None = None,
    memo: str = "",
) -> tuple[int, bool]:
    """Write one ledger transaction: (its id, whether it is new).

    The same key again is the same movement: nothing is written and the first one's id comes back. Accounts are locked
    in id order. Raises TransferNotAllowed where the movement is not on the declared list or the key names another
    one, InsufficientFunds where an account would fall below its floor.
    """
    accounts = _locked_accounts([posting.account_id for posting in postings])
    check_legal(kind, [(AccountKind(accounts[p.account_id].kind), to_cents(p.amount)) for p in postings])
    transaction_id = db.session.scalar(
        upsert(LedgerTransaction)
        .values(
            kind=kind.value,
            idempotency_key=idempotency_key,
            reading_session_id=reading_session_id,
            stripe_reference=stripe_reference,
            reverses_id=reverses_id,
            actor_id=actor_id,
            memo=memo,
            # Bound while a job runs (jobs/runner.py): the run tells what it booked.
            job_run_id=structlog.contextvars.get_contextvars().get("run"),
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["idempotency_key"])
        .returning(LedgerTransaction.id)
    )
    if transaction_id is None:
        return _same_movement(kind, idempotency_key, postings), False
    _check_floors(accounts, postings)
    # One statement: the database's guard wants a transaction's entries all at once.
    db.session.execute(
        insert(LedgerEntry).values(
            [
                {
                    "transaction_id": transaction_id,
                    "account_id": p.account_id,
                    "amount": p.amount,
                    "currency": CURRENCY,
                }
                for p in postings
            ]
        )
    )
    return transaction_id, True


def _locked_accounts(ids: Sequence[int]) -> Mapping[int, LedgerAccount]:
    """The accounts by id, with the cold ones locked in id order; hot ones are never locked."""
    rows = db.session.scalars(
        select(LedgerAccount)
        .where(LedgerAccount.id.in_(ids), ~LedgerAccount.hot)
        .order_by(LedgerAccount.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    accounts = {account.id: account for account in rows}
    hot = db.session.scalars(select(LedgerAccount).where(LedgerAccount.id.in_(ids), LedgerAccount.hot))
    accounts.update({account.id: account for account in hot})
    missing = set(ids) - accounts.keys()
    if missing:
        raise TransferNotAllowed(f"no such accounts: {sorted(missing)}")
    return accounts


def _check_floors(accounts: Mapping[int, LedgerAccount], postings: Sequence[Posting]) -> None:
    for account in accounts.values():
        if account.hot or account.floor is None:
            continue
        after = account.balance + sum(p.amount for p in postings if p.account_id == account.id)
        # A floor stops falls only: what is already below (it cannot be) must not stop a rise.
        if after < account.floor and after < account.balance:
            raise InsufficientFunds(account.floor - after, account.currency, account=account.kind)


def _same_movement(kind: TransferKind, idempotency_key: str, postings: Sequence[Posting]) -> int:
    existing = db.session.scalars(
        select(LedgerTransaction).where(LedgerTransaction.idempotency_key == idempotency_key)
    ).one()
    entries = db.session.execute(
        select(LedgerEntry.account_id, LedgerEntry.amount).where(LedgerEntry.transaction_id == existing.id)
    )
    before = sorted((row.account_id, row.amount) for row in entries)
    if existing.kind != kind or before != sorted((p.account_id, p.amount) for p in postings):
        raise TransferNotAllowed(f"the key {idempotency_key} names another movement")
    return existing.id


def raise_alert(
    kind: str, detail: str, now: datetime, *, reading_session_id: int | None = None, reference: str = ""
) -> None:
    """Put something in the books before a person; an open alert of the same kind about the same session and
    ``reference`` (an event's id, ``top_up:17``) is not raised twice."""
    db.session.execute(
        upsert(LedgerAlert)
        .values(
            kind=kind,
            detail=detail,
            created_at=now,
            reading_session_id=reading_session_id,
            reference=reference,
        )
        .on_conflict_do_nothing()
    )
