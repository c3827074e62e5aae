"""Begins a payout to every reader who can be paid: once a week, for all that is available."""

from typing import Any

import structlog
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.jobs import send_payouts
from soulseer.jobs.context import ERROR, JobContext
from soulseer.models.ledger import LedgerAccount
from soulseer.models.payouts import PayoutAccount
from soulseer.services import payout_accounts, payout_rules, payouts
from soulseer.services.payouts import PayoutRefused

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """A payout for each reader above the minimum whom nothing stands in the way of, sent at once.

    A second run finds nothing left: a payout takes all that is available. A dry run tells whom and how much.
    """
    ids = _candidates()
    if context.dry_run:
        return {"dry_run": True, "payouts": [row for row in map(_planned, ids) if row]}
    counts = {"begun": 0, "held": 0, ERROR: 0}
    for person_id in ids:
        try:
            with transaction():
                payout_id = payouts.begin(person_id, context.now, origin="weekly").id
            counts["begun"] += 1
            send_payouts.send(context, payout_id)
        except PayoutRefused:
            counts["held"] += 1
        except Exception:
            log.exception("weekly_payout_failed", reader=person_id)
            counts[ERROR] += 1
    return counts


def _candidates() -> list[int]:
    """Readers with an account at Stripe and the minimum or more available."""
    return list(
        db.session.scalars(
            select(LedgerAccount.owner_id)
            .join(PayoutAccount, PayoutAccount.person_id == LedgerAccount.owner_id)
            .where(
                LedgerAccount.kind == AccountKind.READER_EARNINGS_AVAILABLE.value,
                LedgerAccount.balance >= policies.current().payout.minimum,
            )
            .order_by(LedgerAccount.owner_id)
        )
    )


def _planned(person_id: int) -> dict[str, Any] | None:
    found = payout_rules.standing(person_id, payout_accounts.of(person_id))
    if found.obstacle is not None:
        return {"reader": person_id, "amount": "0.00", "held": found.words}
    return {"reader": person_id, "amount": str(found.available - found.owed)}
