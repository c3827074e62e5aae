"""Unspent cash back to the cards it came from, by the client: one refund for each payment that it takes, newest first.

Promotional credit is never paid out; nothing leaves while spending is frozen, something is owed, or a reading is live.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import IdempotencyMismatch, InvalidInput, NotWithdrawable
from soulseer.domain.refunds import Destination, Origin
from soulseer.models.payments import TopUp
from soulseer.models.readings import LiveParticipant
from soulseer.models.refunds import Refund, Withdrawal
from soulseer.services import holds, ledger, refund_plans, refunds
from soulseer.services.reversals import NOTHING, TOP_UP, Source

LIVE = "A reading is under way. Money can go back to your card once it has ended."
OWED = (
    "Something is owed for a payment that your bank took back. Add money to your wallet: it pays that first."
)
EMPTY = "There is nothing in your wallet that came from a card and can go back to it."


@dataclass(frozen=True)
class Part:
    """``amount`` dollars of one payment; ``rest`` is what of it could go back."""

    top_up: TopUp
    amount: Decimal
    rest: Decimal


@dataclass(frozen=True)
class Possible:
    """What may go back to cards now, dollars: ``cash`` is in the wallet; ``payments`` have something left, newest first.
    ``refusal`` says why nothing may, in words for the client."""

    cash: Decimal
    payments: Sequence[TopUp]
    refusal: str | None = None

    @property
    def refundable(self) -> Decimal:
        """What is left of the payments."""
        return sum((refund_plans.refundable(top_up) for top_up in self.payments), NOTHING)

    @property
    def most(self) -> Decimal:
        """What may be withdrawn."""
        return NOTHING if self.refusal else min(self.cash, self.refundable)

    def parts(self, amount: Decimal) -> list[Part]:
        """Which payments ``amount`` dollars would go back to. Raises NotWithdrawable, InvalidInput (``amount``)."""
        if self.refusal is not None:
            raise NotWithdrawable(self.refusal)
        if not 0 < amount <= self.most:
            raise InvalidInput("amount", f"Enter an amount from $0.01 to ${self.most}.")
        found, left = [], amount
        for top_up in self.payments:
            rest = refund_plans.refundable(top_up)
            part = min(left, rest)
            if part > 0:
                found.append(Part(top_up, part, rest))
                left -= part
        return found


def possible(person_id: int) -> Possible:
    """What the client may have sent back to cards now. Five statements at most."""
    found = Possible(ledger.balance(A.CLIENT_WALLET, person_id), _payments(person_id), _refusal(person_id))
    return found if found.refusal or found.most > 0 else replace(found, refusal=EMPTY)


def _refusal(person_id: int) -> str | None:
    frozen = holds.spending_frozen(person_id)
    if frozen is not None:
        return frozen
    if holds.owed(person_id) > 0:
        return OWED
    live = db.session.scalar(select(LiveParticipant.person_id).where(LiveParticipant.person_id == person_id))
    return None if live is None else LIVE


def _payments(person_id: int, *, lock: bool = False) -> Sequence[TopUp]:
    """The person's payments that have something left, newest first; locked in the order of their ids."""
    query = select(TopUp).where(
        TopUp.person_id == person_id,
        TopUp.state == "paid",
        TopUp.amount > TopUp.refunded_amount + TopUp.disputed_amount,
    )
    if lock:
        db.session.execute(query.order_by(TopUp.id).with_for_update())
    newest_first = query.order_by(TopUp.id.desc()).execution_options(populate_existing=True)
    return db.session.scalars(newest_first).all()


def withdraw(person_id: int, amount: Decimal, now: datetime, *, key: str | None = None) -> Withdrawal:
    """Send ``amount`` dollars back: booked here, handed to Stripe after the commit.

    ``key`` is the client's own: the same again is the same withdrawal. Raises NotWithdrawable, InvalidInput
    (``amount``), IdempotencyMismatch.
    """
    _payments(person_id, lock=True)
    ledger.lock_accounts(holds.money_of(person_id))
    earlier = None if key is None else _asked_before(person_id, key)
    if earlier is not None:
        if earlier.amount != amount:
            raise IdempotencyMismatch()
        return earlier
    parts = possible(person_id).parts(amount)
    made = Withdrawal(person_id=person_id, amount=amount, request_key=key, created_at=now)
    db.session.add(made)
    db.session.flush()
    for part in parts:
        plan = refund_plans.plan(Source(TOP_UP, part.top_up.id), part.amount)
        refund = Refund(
            person_id=person_id,
            destination=Destination.CARD.value,
            origin=Origin.WITHDRAWAL.value,
            withdrawal_id=made.id,
            needs_approval=False,
            requested_by=person_id,
            reason="Asked for by the client",
            **refunds.described(plan, now),
        )
        db.session.add(refund)
        db.session.flush()
        refunds.record(refund, "refund.requested", now, actor_id=person_id)
        refunds.book(refund, plan, now, actor_id=person_id)
    return made


def _asked_before(person_id: int, key: str) -> Withdrawal | None:
    return db.session.scalars(
        select(Withdrawal).where(Withdrawal.person_id == person_id, Withdrawal.request_key == key)
    ).one_or_none()
