"""Tips: a client gives a reader something beside the price of a reading, with the split told before and after.

Cash only: promotional credit is for readings, and what the platform gave away is not to become a reader's tip. A tip is
no part of what the reading came to; it is refunded like any other movement with a split (services/reversals.py).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import (
    Conflict,
    IdempotencyMismatch,
    InvalidInput,
    NotFound,
    NotParticipant,
    TransferNotAllowed,
)
from soulseer.domain.money import from_cents, parse_amount, split, to_cents
from soulseer.domain.transfers import TransferKind
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.services import earnings, holds, ledger, mail, waiting


@dataclass(frozen=True)
class Split:
    """Dollars: what the client gives, and the reader's part of it; the rest is the platform's."""

    amount: Decimal
    reader: Decimal

    @property
    def platform(self) -> Decimal:
        return self.amount - self.reader


@dataclass(frozen=True)
class Given:
    """A tip that was booked. ``new`` is false where the same one had been given before."""

    transaction_id: int
    split: Split
    reader_name: str
    new: bool


def split_of(amount: Decimal) -> Split:
    """How a tip of ``amount`` dollars is shared as of now."""
    reader, _ = split(to_cents(amount), policies.current().tip.reader_share)
    return Split(amount, from_cents(reader))


def offered() -> list[Split]:
    """The amounts that a page offers."""
    policy = policies.current().tip
    return [split_of(amount) for amount in policy.presets if policy.minimum <= amount <= policy.maximum]


def typed_amount(text: str) -> Decimal:
    """An amount as typed, within the limits. Raises InvalidInput (``amount``)."""
    try:
        return _within_limits(parse_amount(text))
    except ValueError as fault:
        raise InvalidInput("amount", str(fault)) from None


def _within_limits(amount: Decimal) -> Decimal:
    policy = policies.current().tip
    if not policy.minimum <= amount <= policy.maximum:
        raise InvalidInput("amount", f"A tip is from ${policy.minimum} to ${policy.maximum}.")
    return amount


def give(session_id: int, client_id: int, amount: Decimal, key: str, now: datetime) -> Given:
    """Pay ``amount`` dollars from the client's wallet to the reader of the session, who is told by mail.

    ``key`` names this tip within the session: the same again is the same tip. Raises NotFound, NotParticipant (anybody but
    the client), Conflict (nobody was there to thank, or the reader takes no tips now), InvalidInput, SpendingFrozen,
    InsufficientFunds, IdempotencyMismatch.
    """
    _within_limits(amount)
    session, reader_name = _tippable(session_id, client_id)
    holds.refuse_if_frozen(client_id)
    shared = split_of(amount)
    ledger.lock_accounts([session.client_account_id], earnings_of=[session.reader_id])
    revenue = ledger.account_id(AccountKind.PLATFORM_REVENUE)
    sides = (
        (session.client_account_id, -shared.amount),
        (session.reader_account_id, shared.reader),
        (revenue, shared.platform),
    )
    try:
        transaction_id, new = ledger.post(
            TransferKind.TIP,
            f"tip:{session.id}:{key}",
            [ledger.Posting(account, part) for account, part in sides if part],
            now,
            reading_session_id=session.id,
            actor_id=client_id,
        )
    except TransferNotAllowed as fault:
        raise IdempotencyMismatch() from fault
    if new:
        _tell(session, shared, transaction_id, now)
    return Given(transaction_id, shared, reader_name, new)


def _tell(session: ReadingSession, shared: Split, transaction_id: int, now: datetime) -> None:
    if shared.reader > 0:
        earnings.record_movement(session.reader_id, "tip", shared.reader, transaction_id, now)
    handle = db.session.scalar(select(Person.handle).where(Person.id == session.client_id))
    values = {
        "client": handle or "",
        "amount": str(shared.amount),
        "share": str(shared.reader),
        "session": str(session.id),
    }
    mail.queue(session.reader_id, "tip_received", values, now, key=f"tip_received:{transaction_id}")


def _tippable(session_id: int, client_id: int) -> tuple[ReadingSession, str]:
    found = db.session.execute(
        select(ReadingSession, ReaderProfile.display_name, ReaderProfile.status, Person.suspended_at)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .join(Person, Person.id == ReadingSession.reader_id)
        .where(ReadingSession.id == session_id)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no reading {session_id}.")
    session, reader_name, status, suspended_at = found
    if session.client_id != client_id:
        raise NotParticipant("Only the client of a reading gives a tip for it.")
    if session.activated_at is None:
        raise Conflict("This reading did not take place, so there is nobody to thank.")
    if status != "verified" or suspended_at is not None or waiting.blocked(client_id, session.reader_id):
        raise Conflict(f"{reader_name} takes no tips at present.")
    return session, reader_name
