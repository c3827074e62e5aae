"""The books against Stripe's own list, reference by reference, in SQL: nothing but sums leaves the database.

Each movement at Stripe has a reference on either side (a payment intent, a refund, a dispute, a transfer, a payout to
the bank, or for a fee the line that it was taken on). The clearing account's entries under a reference and Stripe's
lines under it must come to the same cents; where they do not, a difference is kept as a row until they do.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import CURRENCY, from_cents
from soulseer.gateways.stripe_balance import Balance
from soulseer.models.reconciliation import ReconciliationDifference, ReconciliationRun
from soulseer.services import ledger, reconciliation_classes, reconciliation_facts
from soulseer.services.reconciliation_booking import FEE_TYPES
from soulseer.services.reconciliation_sql import COMPARE_NEW, COMPARE_WHOLE

LOCK_KEY = 0x53_44_49_46
# Ids are given before they are committed: what was under way then is looked at again.
SLACK = 10_000
GONE = "Both sides agree now."


@dataclass(frozen=True)
class Compared:
    """References compared, how many differ, how many no longer do; what the books say is at Stripe, in cents."""

    whole: bool
    compared: int
    differing: int
    gone: int
    ledger_cents: int
    entries_through: int
    lines_through: int


def compare(now: datetime, *, whole: bool = False) -> Compared:
    """Compare both sides and keep what differs; ``whole``: all there is, else what is new since the last run.

    Open differences are always looked at again, and close by themselves where the other side has arrived.
    """
    # One comparison at a time, and none while somebody mends a difference.
    db.session.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))
    before = latest()
    parameters: dict[str, Any] = {
        "now": now,
        "clearing": ledger.account_id(AccountKind.STRIPE_CLEARING),
        "currency": CURRENCY,
        "fee_types": list(FEE_TYPES),
        "gone": GONE,
    }
    if whole or before is None:
        row = db.session.execute(COMPARE_WHOLE, parameters).one()
    else:
        parameters["lines_after"] = before.lines_through - SLACK
        parameters["entries_after"] = before.entries_through - SLACK
        row = db.session.execute(COMPARE_NEW, parameters).one()
    return Compared(
        whole or before is None,
        row.compared,
        row.differing,
        row.gone,
        row.ledger,
        row.entries_through,
        row.lines_through,
    )


def latest() -> ReconciliationRun | None:
    """The last comparison; None before the first."""
    return db.session.scalars(
        select(ReconciliationRun).order_by(ReconciliationRun.id.desc()).limit(1)
    ).first()


def summarize(
    compared: Compared, balance: Balance, now: datetime, *, imported: int, booked: int, job_run_id: int | None
) -> ReconciliationRun:
    """Write the run's row: both balances, and how much of the gap between them the open differences tell of.

    What they do not, and every open difference that nothing explains, raises a ledger alert.
    """
    by_class = open_by_class()
    gap = balance.available + balance.pending - compared.ledger_cents
    known = sum(part["cents"] for part in by_class.values())
    unaccounted = gap - known
    unexplained = by_class.get("unexplained", {"count": 0, "cents_without_sign": 0})
    off = unexplained["cents_without_sign"] + abs(unaccounted)
    run = ReconciliationRun(
        job_run_id=job_run_id,
        at=now,
        whole=compared.whole,
        imported=imported,
        booked=booked,
        compared=compared.compared,
        differing=compared.differing,
        open_by_class=by_class,
        ledger_balance=from_cents(compared.ledger_cents),
        stripe_available=from_cents(balance.available),
        stripe_pending=from_cents(balance.pending),
        gap=from_cents(gap),
        explained=from_cents(known - unexplained.get("cents", 0)),
        unexplained=from_cents(off),
        unaccounted=from_cents(unaccounted),
        entries_through=compared.entries_through,
        lines_through=compared.lines_through,
    )
    db.session.add(run)
    db.session.flush()
    if off:
        detail = f"${from_cents(off)} between the books and Stripe are unexplained (reconciliation {run.id})."
        ledger.raise_alert("reconciliation_unexplained", detail, now)
    return run


def open_by_class() -> dict[str, dict[str, int]]:
    """Live differences by class: how many, their cents (Stripe's less ours), the same without sign. One that a person
    has explained counts as ``explained``."""
    row = ReconciliationDifference
    shown = func.coalesce(func.nullif(row.state, "open"), row.difference_class)
    cents = func.sum(text("gap"))
    found = db.session.execute(
        select(shown, func.count(), cents, func.sum(func.abs(text("gap"))))
        .where(row.state.in_(("open", "explained")))
        .group_by(shown)
        .order_by(shown)
    )
    return {
        name: {"count": count, "cents": int(total), "cents_without_sign": int(size)}
        for name, count, total, size in found
    }


def classify(now: datetime, after: int = 0, limit: int = 500) -> int | None:
    """Say of the next open differences that this comparison (``now``) found what they are; the last one's id, None
    where there is none left. A first approval stands only while the proposal stays the same."""
    rows = db.session.scalars(
        select(ReconciliationDifference)
        .where(
            ReconciliationDifference.state == "open",
            ReconciliationDifference.last_seen_at == now,
            ReconciliationDifference.id > after,
        )
        .order_by(ReconciliationDifference.id)
        .limit(limit)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if not rows:
        return None
    facts = reconciliation_facts.gather(rows)
    for row in rows:
        before = row.proposal or {}
        asked = before.get("asked_at")
        finding = reconciliation_classes.classify(facts[row.reference], now, asked=asked is not None)
        proposal = finding.proposal
        if proposal is not None and asked is not None:
            proposal = {**proposal, "asked_at": asked}
        row.difference_class, row.words = finding.name, finding.words
        if proposal != row.proposal:
            row.proposal = proposal
            row.approved_by = row.approved_at = row.approved_proposal = None
    last: int = rows[-1].id
    # The session holds what is written weakly: a hundred thousand differences are no more in memory than a batch.
    db.session.flush()
    return last
