"""Granting promotional credit: by staff with a reason, within limits; by the system under a key of its own."""

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import IdempotencyMismatch, InvalidInput, NotFound
from soulseer.domain.transfers import TransferKind
from soulseer.models.people import Person
from soulseer.models.promotions import PromotionalCredit
from soulseer.services import audit, ledger

_DAY = timedelta(hours=24)


def grant(
    person_id: int,
    amount: Decimal,
    expires_at: datetime,
    reason: str,
    now: datetime,
    *,
    key: str,
    actor_id: int | None = None,
    limited: bool = False,
    only_session_id: int | None = None,
) -> tuple[PromotionalCredit, bool]:
    """Give a client ``amount`` dollars of credit until ``expires_at`` (UTC): the grant, and whether it is new.

    ``key`` is the grant's unique name: the same again is the same grant. ``actor_id`` is who gives it, None the
    system; ``limited`` holds them to what support may give one person in 24 hours, whoever of the staff gave it.
    ``only_session_id``: the one reading that it may pay for.

    Raises NotFound for an unknown person, InvalidInput (``person``, ``amount``, ``expires_at``), IdempotencyMismatch
    where the key named another grant.
    """
    account_id, wallet_id = _accounts(person_id, now)
    existing = db.session.scalar(select(PromotionalCredit).where(PromotionalCredit.key == key))
    if existing is not None:
        if (existing.person_id, existing.amount) != (person_id, amount):
            raise IdempotencyMismatch()
        return existing, False
    _check(person_id, amount, expires_at, now, actor_id, limited=limited)
    transaction_id, _ = ledger.post(
        TransferKind.PROMOTION,
        f"promotion:{key}",
        [
            ledger.Posting(ledger.account_id(AccountKind.PLATFORM_PROMOTIONS), -amount),
            ledger.Posting(account_id, amount),
        ],
        now,
        actor_id=actor_id,
        memo=reason,
    )
    made = PromotionalCredit(
        person_id=person_id,
        account_id=account_id,
        wallet_id=wallet_id,
        amount=amount,
        remaining=amount,
        expired=Decimal("0.00"),
        created_at=now,
        expires_at=expires_at,
        transaction_id=transaction_id,
        granted_by=actor_id,
        only_session_id=only_session_id,
        state="open",
        key=key,
        reason=reason,
    )
    db.session.add(made)
    db.session.flush()
    audit.record(
        "promotion.granted",
        "promotional_credit",
        made.id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"person": person_id, "amount": str(amount), "expires_at": expires_at.isoformat()},
    )
    return made, True


def _accounts(person_id: int, now: datetime) -> tuple[int, int]:
    """The person's promotional account, locked, and their wallet."""
    if db.session.get(Person, person_id) is None:
        raise NotFound(f"There is no person {person_id}.")
    try:
        wallet_id = ledger.account_id(AccountKind.CLIENT_WALLET, person_id)
    except LookupError:
        raise InvalidInput("person", "This person has no wallet: credit is for clients.") from None
    ledger.open_accounts(person_id, [AccountKind.CLIENT_PROMOTIONAL_CREDIT], now)
    # Two clicks at once: the second waits here, and then finds the first one's grant.
    return ledger.lock_account(AccountKind.CLIENT_PROMOTIONAL_CREDIT, person_id).id, wallet_id


def _check(
    person_id: int,
    amount: Decimal,
    expires_at: datetime,
    now: datetime,
    actor_id: int | None,
    *,
    limited: bool,
) -> None:
    policy = policies.current().promotion
    if actor_id == person_id:
        raise InvalidInput("person", "Nobody gives credit to themselves.")
    if amount <= 0 or amount > policy.maximum:
        raise InvalidInput("amount", f"From 0.01 to {policy.maximum} dollars.")
    if not now < expires_at <= now + policy.longest:
        raise InvalidInput(
            "expires_at",
            f"After now, and within {policy.longest.days} days: cash never expires, credit does.",
        )
    if not limited:
        return
    # Not by giver: five of support who are asked in turn would give five times as much.
    given: Decimal = db.session.scalar(
        select(func.coalesce(func.sum(PromotionalCredit.amount), Decimal(0))).where(
            PromotionalCredit.person_id == person_id,
            PromotionalCredit.granted_by.is_not(None),
            PromotionalCredit.created_at > now - _DAY,
        )
    ) or Decimal("0.00")
    if given + amount > policy.support_limit:
        raise InvalidInput(
            "amount",
            f"By support one person gets {policy.support_limit} in 24 hours at most, and {given} was given by staff. "
            "Ask finance for more.",
        )
