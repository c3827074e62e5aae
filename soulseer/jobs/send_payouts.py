"""Sends the payouts that are open, and asks Stripe about readers' accounts: whatever a crash or an outage left undone."""

from collections import Counter
from functools import partial
from typing import Any

import structlog
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.errors import Conflict
from soulseer.gateways import stripe_connect
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.gateways.stripe_connect import Transfer
from soulseer.jobs import sweeping
from soulseer.jobs.context import ERROR, JobContext, whole_number
from soulseer.models.payouts import Payout
from soulseer.services import ledger, payout_accounts, payouts

log = structlog.get_logger(__name__)


def run(context: JobContext) -> dict[str, Any]:
    """Send the payout of the argument ``payout`` if it is due, or all that are; then look at the accounts due.

    Gives counts by what they came to. A fault of one is logged and stops no other: what failed is due again.
    """
    wanted = whole_number(context, "payout")
    if context.dry_run:
        return {"dry_run": True, "payouts": _due(context, wanted)}
    counts: Counter[str] = Counter()
    if wanted is not None:
        return {outcome: 1} if (outcome := send(context, wanted)) is not None else {}
    sweeping.each(partial(send, context), counts)
    sweeping.each(partial(look_at_account, context), counts)
    return dict(counts)


def _due(context: JobContext, wanted: int | None) -> list[dict[str, Any]]:
    query = select(Payout).where(Payout.state == "open", Payout.next_check_at <= context.now)
    if wanted is not None:
        query = query.where(Payout.id == wanted)
    rows = db.session.scalars(query.order_by(Payout.id))
    return [{"payout": row.id, "reader": row.person_id, "amount": str(row.amount)} for row in rows]


def send(context: JobContext, payout_id: int | None = None) -> str | None:
    """Send one payout: take it, ask Stripe, record. Gives what it came to, None where none is due."""
    with transaction():
        payout = payouts.claim(context.now, payout_id)
    if payout is None:
        return None
    claimed = payout.id
    return sweeping.outcome_of(
        "payout",
        claimed,
        lambda: payouts.ask_stripe(payout, context.now),
        lambda transfer: _record(claimed, transfer, context),
        lambda refused: _refused(claimed, refused, context),
    )


def _record(payout_id: int, transfer: Transfer | None, context: JobContext) -> str:
    if transfer is not None:
        return payouts.record(payout_id, transfer, context.now).outcome
    payouts.record_failure(payout_id, payouts.NOT_SENT, context.now)
    ledger.raise_alert(
        "payout_given_up",
        f"Payout {payout_id}: no answer of Stripe for hours, and no such transfer there.",
        context.now,
        reference=f"payout:{payout_id}",
    )
    return "failed"


def _refused(payout_id: int, refused: StripeRefused, context: JobContext) -> str:
    short = stripe_connect.refusal_code(refused) == stripe_connect.NO_FUNDS
    payouts.record_failure(payout_id, payouts.NO_FUNDS if short else payouts.REFUSED, context.now)
    if short:
        ledger.raise_alert(
            "stripe_balance_short",
            f"Payout {payout_id}: the balance at Stripe did not cover it.",
            context.now,
            reference=f"payout:{payout_id}",
        )
    return "failed"


def look_at_account(context: JobContext) -> str | None:
    """Ask Stripe about one account that is due, opening it where that was interrupted. None where none is due."""
    with transaction():
        claimed = payout_accounts.claim_due(context.now)
    if claimed is None:
        return None
    account, email = claimed
    person_id = account.person_id
    try:
        told = payout_accounts.ask_stripe(account, email)
        with transaction():
            payout_accounts.record(person_id, told, context.now)
        return "account_checked"
    except StripeUnavailable:
        return "account_unanswered"
    except (StripeRefused, Conflict):
        log.warning("payout_account_not_checked", person=person_id)
        return "account_refused"
    except Exception:
        log.exception("payout_account_not_checked", person=person_id)
        return ERROR
