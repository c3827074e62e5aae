"""Holds that stop a person's spending, and debts: what a client owes since the bank took a spent payment back.

A hold stands while a dispute is open, while something is owed, or until staff lift it. Topping up stays possible: it
pays what is owed first.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.disputes import OPEN
from soulseer.domain.errors import SpendingFrozen
from soulseer.domain.transfers import TransferKind
from soulseer.models.disputes import Dispute, SpendingHold
from soulseer.models.ledger import LedgerAccount, LedgerEntry
from soulseer.models.people import Person
from soulseer.services import audit, ledger, mail, reload_notices

REASONS = {
    "dispute": "Your bank is looking into a payment that you asked back. Until it has decided, nothing can be spent; "
    "you can still add money.",
    "debt": "A payment was taken back by your bank after it had been spent, so something is owed. Add money to your "
    "wallet: it pays what is owed first, and then you can go on.",
}

# Built once, on the table: every request for a reading asks it.
_hold: Any = SpendingHold.__table__
STANDING = (
    select(_hold.c.reason)
    .where(_hold.c.person_id == bindparam("person"), _hold.c.lifted_at.is_(None))
    .order_by(_hold.c.id)
    .limit(1)
)
# The same beside the person that a request reads first: no statement of its own.
STANDING_OF_PERSON = (
    select(func.min(_hold.c.reason))
    .where(_hold.c.person_id == Person.__table__.c.id, _hold.c.lifted_at.is_(None))
    .correlate(Person.__table__)
    .scalar_subquery()
)


def spending_frozen(person_id: int) -> str | None:
    """Why the person cannot spend now, in words for them; None where they can. One indexed statement."""
    found: str | None = db.session.execute(STANDING, {"person": person_id}).scalar()
    return found


def refuse_if_frozen(person_id: int) -> None:
    """Raise SpendingFrozen with the reason while a hold stands."""
    reason = spending_frozen(person_id)
    if reason is not None:
        raise SpendingFrozen(reason)


def owed(person_id: int) -> Decimal:
    """What the client owes, dollars; 0.00 or more."""
    return max(-ledger.balance(AccountKind.CLIENT_RECEIVABLE, person_id), Decimal("0.00"))


def money_of(person_id: int) -> list[int]:
    """The ids of a client's wallet and of what they owe: what comes in pays a debt."""
    return list(
        db.session.scalars(
            select(LedgerAccount.id).where(
                LedgerAccount.owner_id == person_id,
                LedgerAccount.kind.in_(
                    (AccountKind.CLIENT_WALLET.value, AccountKind.CLIENT_RECEIVABLE.value)
                ),
            )
        )
    )


def lock_debt(person_id: int, now: datetime) -> tuple[int, int]:
    """The ids of the client's wallet and receivable, both locked in id order; opened where they were not."""
    kinds = (AccountKind.CLIENT_WALLET, AccountKind.CLIENT_RECEIVABLE)
    ledger.open_accounts(person_id, kinds, now)
    wallet, receivable = (ledger.account_id(kind, person_id) for kind in kinds)
    ledger.lock_accounts([wallet, receivable])
    return wallet, receivable


def pay_debt(person_id: int, now: datetime) -> Decimal:
    """Pay what the client owes out of the wallet, as far as it goes: dollars paid. One statement where nothing is owed.

    Call it in the transaction that credited the wallet, after the credit; ``money_of`` was locked before that, so that
    both accounts are locked in id order. Lifts the hold once nothing is owed.
    """
    if owed(person_id) == 0:
        return Decimal("0.00")
    wallet, receivable = lock_debt(person_id, now)
    due = owed(person_id)
    paid = min(due, ledger.balance(AccountKind.CLIENT_WALLET, person_id))
    if paid <= 0:
        return Decimal("0.00")
    # The debt as it stands after its last entry is paid once; every payment is an entry, and so another name.
    last = db.session.scalar(select(func.max(LedgerEntry.id)).where(LedgerEntry.account_id == receivable))
    ledger.post(
        TransferKind.RECEIVABLE_PAID,
        f"debt:{receivable}:after:{last}",
        [ledger.Posting(wallet, -paid), ledger.Posting(receivable, paid)],
        now,
    )
    audit.record(
        "debt.paid", "person", person_id, now, details={"amount": str(paid), "rest": str(due - paid)}
    )
    if paid == due:
        mail.queue(person_id, "debt_paid", {"amount": str(paid)}, now, key=f"debt_paid:{receivable}:{last}")
    review(person_id, now)
    return paid


def review(person_id: int, now: datetime) -> None:
    """Place or lift the holds that follow from open disputes and from what is owed.

    Under the lock of the client's accounts, so that of two disputes that are decided at once the second one sees the
    first: call it after what it is to see was flushed.
    """
    lock_debt(person_id, now)
    open_states = [state.value for state in OPEN]
    disputed = db.session.scalar(
        select(Dispute.id).where(Dispute.person_id == person_id, Dispute.state.in_(open_states)).limit(1)
    )
    with reload_notices.telling(person_id, spending_frozen, now):
        for kind, wanted in (("dispute", disputed is not None), ("debt", owed(person_id) > 0)):
            if wanted:
                _place(person_id, kind, REASONS[kind], now)
            else:
                _lift(person_id, kind, now)


def place(person_id: int, kind: str, reason: str, now: datetime, *, actor_id: int | None = None) -> bool:
    """Stop the person's spending (``kind``: dispute, debt, staff): whether that is new. One of each kind stands at most.

    A live reading is ended by services/frozen_readings, at once or by the next sweep; automatic top-ups wait.
    """
    with reload_notices.telling(person_id, spending_frozen, now):
        return _place(person_id, kind, reason, now, actor_id)


def _place(person_id: int, kind: str, reason: str, now: datetime, actor_id: int | None = None) -> bool:
    made = db.session.scalar(
        upsert(SpendingHold)
        .values(person_id=person_id, kind=kind, reason=reason, since=now, actor_id=actor_id)
        .on_conflict_do_nothing(
            index_elements=["person_id", "kind"], index_where=SpendingHold.lifted_at.is_(None)
        )
        .returning(SpendingHold.id)
    )
    if made is None:
        return False
    audit.record(
        "spending.frozen", "person", person_id, now, actor_id=actor_id, reason=reason, details={"kind": kind}
    )
    return True


def lift(person_id: int, kind: str, now: datetime, *, actor_id: int | None = None, reason: str = "") -> bool:
    """Lift the standing hold of ``kind``: whether there was one."""
    with reload_notices.telling(person_id, spending_frozen, now):
        return _lift(person_id, kind, now, actor_id, reason)


def _lift(person_id: int, kind: str, now: datetime, actor_id: int | None = None, reason: str = "") -> bool:
    lifted = db.session.scalar(
        update(SpendingHold)
        .where(
            SpendingHold.person_id == person_id, SpendingHold.kind == kind, SpendingHold.lifted_at.is_(None)
        )
        .values(lifted_at=func.greatest(now, SpendingHold.since), lifted_by=actor_id)
        .returning(SpendingHold.id)
        .execution_options(synchronize_session=False)
    )
    if lifted is None:
        return False
    audit.record(
        "spending.released",
        "person",
        person_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"kind": kind},
    )
    return True
