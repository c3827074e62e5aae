"""Whether a reader can be paid now, and if not, why, in words that the reader reads."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.onboarding import Gate
from soulseer.models.ledger import LedgerAccount
from soulseer.models.onboarding import ReaderGate
from soulseer.models.payouts import Payout, PayoutAccount
from soulseer.models.people import Person
from soulseer.services import ledger, payout_words, reader_gates

NOTHING = Decimal("0.00")


class Obstacle(StrEnum):
    """Why nothing is paid out."""

    SUSPENDED = "suspended"
    PAUSED = "paused"
    GATE_CLOSED = "gate_closed"
    NOT_SET_UP = "not_set_up"
    DETAILS_NEEDED = "details_needed"
    DISABLED = "disabled"
    UNDER_WAY = "under_way"
    OWED = "owed"
    BELOW_MINIMUM = "below_minimum"


@dataclass(frozen=True)
class Standing:
    """What a reader has (dollars), what is on its way, and what stands between it and the next payout."""

    pending: Decimal
    available: Decimal
    owed: Decimal
    under_way: Decimal
    obstacle: Obstacle | None
    words: str


def standing(person_id: int, account: PayoutAccount | None) -> Standing:
    """Where the reader stands now. Three statements; with the reader's rows locked it is what a payout goes by."""
    rows = db.session.execute(
        select(LedgerAccount.kind, LedgerAccount.balance).where(
            LedgerAccount.owner_id == person_id, LedgerAccount.kind.in_(ledger.EARNED_KINDS)
        )
    )
    balances = {kind: balance for kind, balance in rows}  # noqa: C416 (rows are no pairs to dict())
    available = balances.get(AccountKind.READER_EARNINGS_AVAILABLE, NOTHING)
    owed = max(NOTHING, -balances.get(AccountKind.READER_RECEIVABLE, NOTHING))
    open_amount = db.session.scalar(
        select(Payout.amount).where(Payout.person_id == person_id, Payout.state == "open")
    )
    held = db.session.execute(
        select(Person.suspended_at, ReaderGate.reason)
        .outerjoin(ReaderGate, reader_gates.closed_gate(person_id, Gate.PAYABLE))
        .where(Person.id == person_id)
    ).one()
    suspended = held.suspended_at is not None
    obstacle, words = _obstacle(account, available, owed, open_amount, suspended, held.reason)
    return Standing(
        balances.get(AccountKind.READER_EARNINGS_PENDING, NOTHING),
        available,
        owed,
        open_amount or NOTHING,
        obstacle,
        words,
    )


def _obstacle(
    account: PayoutAccount | None,
    available: Decimal,
    owed: Decimal,
    open_amount: Decimal | None,
    suspended: bool,
    closed: str | None,
) -> tuple[Obstacle | None, str]:
    if suspended:
        return Obstacle.SUSPENDED, "Your account is suspended. Please write to support."
    if account is not None and account.paused_at is not None:
        return Obstacle.PAUSED, account.pause_reason or ""
    if closed is not None:
        return Obstacle.GATE_CLOSED, closed
    if account is None or account.stripe_account_id is None:
        return Obstacle.NOT_SET_UP, "Set up payouts first: Stripe, who sends the money, needs to know you."
    if not account.details_submitted:
        return Obstacle.DETAILS_NEEDED, "You have not finished setting up payouts at Stripe."
    if not account.transfers_enabled:
        reason = account.disabled_reason or ("requirements.past_due" if account.past_due else "under_review")
        return Obstacle.DISABLED, payout_words.disabled(reason)
    if open_amount is not None:
        return Obstacle.UNDER_WAY, f"A payout of ${open_amount:,.2f} is on its way; one goes after the other."
    if owed >= available and owed > 0:
        return (
            Obstacle.OWED,
            f"You owe ${owed:,.2f} for readings that were refunded after they had been paid out. It is kept from "
            "what you earn next.",
        )
    minimum = policies.current().payout.minimum
    if available - owed < minimum:
        return Obstacle.BELOW_MINIMUM, f"Payouts begin at ${minimum:,.2f}."
    return None, ""
