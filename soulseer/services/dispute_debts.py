"""What is done about debts by staff and by the sweep: written off with a reason, paid out of wallets that hold money."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.disputes import DisputeState
from soulseer.domain.errors import Conflict, NotFound
from soulseer.domain.transfers import TransferKind
from soulseer.models.disputes import Dispute, SpendingHold
from soulseer.models.ledger import LedgerAccount
from soulseer.services import audit, holds, ledger, own_money

NOUGHT = Decimal("0.00")


def locked(dispute_id: int) -> Dispute:
    """The dispute with its row locked. Raises NotFound."""
    dispute = db.session.scalars(
        select(Dispute)
        .where(Dispute.id == dispute_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if dispute is None:
        raise NotFound(f"There is no dispute {dispute_id}.")
    return dispute


def write_off(dispute_id: int, actor_id: int, reason: str, now: datetime) -> Decimal:
    """Give up what the client owes still for a lost dispute: dollars that the platform bears now.

    Raises NotFound, Forbidden for one's own debt, Conflict where it is not lost, nothing is owed, or it was written off
    before.
    """
    dispute = locked(dispute_id)
    own_money.refuse(actor_id, [dispute.person_id])
    if dispute.state != DisputeState.LOST:
        raise Conflict("Only a lost dispute can be written off.")
    _, receivable = holds.lock_debt(dispute.person_id, now)
    amount = min(dispute.receivable_part, holds.owed(dispute.person_id))
    if dispute.written_off or amount <= 0:
        raise Conflict("Nothing is owed for this dispute any more.")
    transaction_id, _ = ledger.post(
        TransferKind.WRITE_OFF,
        f"dispute:{dispute.stripe_dispute_id}:write-off",
        [
            ledger.Posting(ledger.account_id(AccountKind.PLATFORM_REVENUE), -amount),
            ledger.Posting(receivable, amount),
        ],
        now,
        actor_id=actor_id,
        memo=reason,
    )
    dispute.written_off = amount
    db.session.flush()
    audit.record(
        "dispute.written_off",
        "dispute",
        dispute_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"amount": str(amount), "transaction": transaction_id},
    )
    holds.review(dispute.person_id, now)
    return amount


def payable_debtors(limit: int = 500) -> list[int]:
    """People who owe something and have money in the wallet: it came in otherwise than by a top-up."""
    wallet, debt = aliased(LedgerAccount), aliased(LedgerAccount)
    found = db.session.scalars(
        select(SpendingHold.person_id)
        .join(debt, (debt.owner_id == SpendingHold.person_id) & (debt.kind == AccountKind.CLIENT_RECEIVABLE))
        .join(
            wallet, (wallet.owner_id == SpendingHold.person_id) & (wallet.kind == AccountKind.CLIENT_WALLET)
        )
        .where(
            SpendingHold.kind == "debt",
            SpendingHold.lifted_at.is_(None),
            debt.balance < NOUGHT,
            wallet.balance > NOUGHT,
        )
        .order_by(SpendingHold.person_id)
        .limit(limit)
    )
    return list(found)
