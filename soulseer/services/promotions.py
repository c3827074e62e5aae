"""Promotional credit: granted until a day, spent before cash (services/promotion_spending.py), booked off when it has
expired, given back as credit and never as cash (docs/money.md).

Grants move under the lock of the person's promotional account, whose balance is the sum of what remains of them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.sql.elements import ColumnElement

from soulseer.db import Read, db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import Conflict, NotFound
from soulseer.domain.money import CURRENCY
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import LedgerAccount
from soulseer.models.promotions import PromotionalCredit, PromotionalSpend
from soulseer.models.types import Instant
from soulseer.services import ledger, mail

ZERO = Decimal("0.00")

# On the tables and built once: every heartbeat and every page asks for them.
_account: Any = LedgerAccount.__table__
_credit: Any = PromotionalCredit.__table__
_NOW = bindparam("now", type_=Instant)
OWNER = _credit.c.person_id
GOOD = (_credit.c.state == "open") & (_credit.c.expires_at > _NOW)


def total_of(condition: ColumnElement[bool]) -> ColumnElement[Decimal]:
    """A subquery: the dollars of credit that are good at the parameter ``now``, of the grants of ``condition``."""
    return (
        select(func.coalesce(func.sum(_credit.c.remaining), Decimal(0)))
        .where(condition, GOOD)
        .correlate_except(_credit)
        .scalar_subquery()
    )


def next_expiry_of(condition: ColumnElement[bool]) -> ColumnElement[datetime | None]:
    """A subquery: when the first of them expires."""
    return (
        select(func.min(_credit.c.expires_at))
        .where(condition, GOOD)
        .correlate_except(_credit)
        .scalar_subquery()
    )


_HELD = select(
    _account.c.balance.label("cash"),
    total_of(_credit.c.wallet_id == _account.c.id).label("promotional"),
    next_expiry_of(_credit.c.wallet_id == _account.c.id).label("next_expiry"),
)
_OF_WALLET = Read(_HELD.where(_account.c.id == bindparam("account")))
_OF_PERSON = Read(
    _HELD.where(
        _account.c.owner_id == bindparam("owner"),
        _account.c.kind == AccountKind.CLIENT_WALLET.value,
        _account.c.currency == CURRENCY,
    )
)


@dataclass(frozen=True)
class Holding:
    """What a client can spend, dollars: ``cash`` is the wallet's balance, ``promotional`` what of their credit has not
    expired; ``next_expiry`` is when the first of it does, None where there is none."""

    cash: Decimal = ZERO
    promotional: Decimal = ZERO
    next_expiry: datetime | None = None

    @property
    def spendable(self) -> Decimal:
        return self.cash + self.promotional


def holding(person_id: int, now: datetime) -> Holding:
    """What the person can spend at ``now``; nothing without a wallet. One statement."""
    row = _OF_PERSON.first({"owner": person_id, "now": now})
    return Holding() if row is None else Holding(*row)


def holding_of_wallet(wallet_id: int, now: datetime) -> Holding:
    """The same by the wallet's account. One statement."""
    row = _OF_WALLET.first({"account": wallet_id, "now": now})
    return Holding() if row is None else Holding(*row)


def of_person(person_id: int, limit: int = 50) -> Sequence[PromotionalCredit]:
    """The person's newest grants, newest first. One statement."""
    return db.session.scalars(
        select(PromotionalCredit)
        .where(PromotionalCredit.person_id == person_id)
        .order_by(PromotionalCredit.id.desc())
        .limit(limit)
    ).all()


def preview_give_back(
    purpose: str, amount: Decimal, *, charged: Decimal, returned: Decimal
) -> list[tuple[AccountKind, Decimal]]:
    """How ``amount`` dollars go back to a client who paid for ``purpose`` (``reading:17``): positive dollars to the
    wallet and to the promotional credit, in this order; cash first, as far as cash was paid.

    ``charged`` is all that was charged for it, ``returned`` what was given back of that before, both in all. Read-only;
    lock the client's accounts first where it is to be done. Raises Conflict above what was charged less returned.
    """
    spent, back = db.session.execute(
        select(
            func.coalesce(func.sum(PromotionalSpend.amount), Decimal(0)),
            func.coalesce(func.sum(PromotionalSpend.returned), Decimal(0)),
        ).where(PromotionalSpend.purpose == purpose)
    ).one()
    if amount > charged - returned:
        raise Conflict(f"{amount} is more than the {charged - returned} that can be given back.")
    cash = min(amount, (charged - spent) - (returned - back))
    parts = [
        (AccountKind.CLIENT_WALLET, cash),
        (AccountKind.CLIENT_PROMOTIONAL_CREDIT, amount - cash),
    ]
    return [(kind, part) for kind, part in parts if part > 0]


def give_back(
    person_id: int, purpose: str, amount: Decimal, transaction_id: int, now: datetime
) -> list[PromotionalCredit]:
    """Make grants of the ``amount`` dollars that ``transaction_id`` has just put back into the person's promotional
    account: one for each grant that had paid, those that expire last first. Each lives as long as the one that it
    comes from, and for the policy's ``returned`` at least.

    ``amount`` is what ``preview_give_back`` names for the promotional credit, under the same locks. Raises Conflict
    where more is given back than was spent.
    """
    spent = db.session.execute(
        select(PromotionalSpend, PromotionalCredit)
        .join(PromotionalCredit, PromotionalCredit.id == PromotionalSpend.promotional_credit_id)
        .where(PromotionalSpend.purpose == purpose, PromotionalSpend.returned < PromotionalSpend.amount)
        .order_by(
            PromotionalCredit.expires_at.desc(), PromotionalCredit.id.desc(), PromotionalSpend.id.desc()
        )
        .with_for_update(of=PromotionalSpend)
        .execution_options(populate_existing=True)
    )
    left, taken = amount, defaultdict[int, Decimal](lambda: ZERO)
    sources = {}
    for paid, source in spent:
        part = min(left, paid.amount - paid.returned)
        if part <= 0:
            break
        paid.returned += part
        left -= part
        taken[source.id] += part
        sources[source.id] = source
    if left > 0:
        raise Conflict(f"{left} of {amount} was not paid by promotional credit.")
    at_least = now + policies.current().promotion.returned
    grants = [
        PromotionalCredit(
            person_id=person_id,
            account_id=sources[source_id].account_id,
            wallet_id=sources[source_id].wallet_id,
            amount=part,
            remaining=part,
            expired=ZERO,
            created_at=now,
            expires_at=max(sources[source_id].expires_at, at_least),
            transaction_id=transaction_id,
            source_id=source_id,
            granted_by=None,
            state="open",
            key=f"returned:{transaction_id}:{source_id}",
            reason=f"Given back: {purpose.replace(':', ' ')}",
        )
        for source_id, part in taken.items()
    ]
    db.session.add_all(grants)
    db.session.flush()
    return grants


def _expired(now: datetime) -> list[ColumnElement[bool]]:
    return [PromotionalCredit.state == "open", PromotionalCredit.expires_at <= now]


def _unwarned(now: datetime) -> list[ColumnElement[bool]]:
    return [
        PromotionalCredit.state == "open",
        PromotionalCredit.expires_at > now,
        PromotionalCredit.expires_at <= now + policies.current().promotion.warning,
        PromotionalCredit.warned_at.is_(None),
        # What is for one reading alone is gone with it.
        PromotionalCredit.only_session_id.is_(None),
    ]


def _ids(conditions: list[ColumnElement[bool]], limit: int, after: int) -> list[int]:
    found = (
        select(PromotionalCredit.id)
        .where(PromotionalCredit.id > after, *conditions)
        .order_by(PromotionalCredit.id)
        .limit(limit)
    )
    return list(db.session.scalars(found))


def due(now: datetime, limit: int, after: int = 0) -> list[int]:
    """Ids of grants that have expired with something left, in order, after the id ``after``."""
    return _ids(_expired(now), limit, after)


def unwarned(now: datetime, limit: int, after: int = 0) -> list[int]:
    """Ids of good grants that expire soon and whose owner has not been told, in order, after the id ``after``."""
    return _ids(_unwarned(now), limit, after)


@dataclass(frozen=True)
class Foreseen:
    """How many grants, and the dollars that remain of them."""

    grants: int
    amount: Decimal


def foreseen(now: datetime) -> tuple[Foreseen, Foreseen]:
    """What the job would book off at ``now``, and what it would tell people of."""
    expired, soon = (
        db.session.execute(
            select(func.count(), func.coalesce(func.sum(PromotionalCredit.remaining), ZERO)).where(
                *conditions
            )
        ).one()
        for conditions in (_expired(now), _unwarned(now))
    )
    return Foreseen(*expired), Foreseen(*soon)


def expire(credit_id: int, now: datetime) -> Decimal:
    """Book off what is left of an expired grant: the dollars; 0.00 where nothing is left or it is good still.
    Raises NotFound."""
    grant = _locked(credit_id)
    if grant.state != "open" or grant.expires_at > now:
        return ZERO
    return _book_off(grant, now)


def book_off(credit_id: int, now: datetime) -> Decimal:
    """Book off what is left of a grant, expired or not: the dollars. Raises NotFound."""
    grant = _locked(credit_id)
    return _book_off(grant, now) if grant.state == "open" else ZERO


def _book_off(grant: PromotionalCredit, now: datetime) -> Decimal:
    rest = grant.remaining
    ledger.post(
        TransferKind.PROMOTION_EXPIRED,
        f"promotion:{grant.id}:expired",
        [
            ledger.Posting(grant.account_id, -rest),
            ledger.Posting(ledger.account_id(AccountKind.PLATFORM_PROMOTIONS), rest),
        ],
        now,
    )
    grant.remaining, grant.expired, grant.state = ZERO, rest, "expired"
    db.session.flush()
    return rest


def warn(credit_id: int, now: datetime) -> Decimal:
    """Have the owner told by mail that the grant expires soon: the dollars that do; 0.00 where they were told, or
    nothing is left. Raises NotFound."""
    grant = _locked(credit_id)
    if grant.state != "open" or grant.warned_at is not None or grant.expires_at <= now:
        return ZERO
    grant.warned_at = now
    values = {"amount": str(grant.remaining), "expires_at": grant.expires_at.isoformat()}
    mail.queue(grant.person_id, "promotion_expiring", values, now, key=f"promotion_expiring:{grant.id}")
    return grant.remaining


def _locked(credit_id: int) -> PromotionalCredit:
    """The grant, once its person's promotional account is locked."""
    account_id = db.session.scalar(
        select(PromotionalCredit.account_id).where(PromotionalCredit.id == credit_id)
    )
    if account_id is None:
        raise NotFound(f"There is no promotional credit {credit_id}.")
    ledger.lock_accounts([account_id])
    return db.session.get_one(PromotionalCredit, credit_id, populate_existing=True)
