"""In a few numbers whether the books are in order: for the hourly check, for monitoring, for the console."""

from dataclasses import dataclass

from sqlalchemy import func, select

from soulseer.db import db
from soulseer.domain.money import to_cents
from soulseer.models.ledger import LedgerAlert
from soulseer.models.reconciliation import (
    DIFFERENCE_CLASSES,
    ReconciliationDifference,
    ReconciliationRun,
)


@dataclass(frozen=True)
class Health:
    """``unexplained_cents`` as of the last comparison with Stripe, whose instant is ``compared_at`` (Unix seconds, 0
    before the first); ``differences``: open ones by class."""

    open_alerts: int
    unexplained_cents: int
    compared_at: float
    differences: dict[str, int]


def open_alerts(limit: int = 100) -> list[str]:
    """The oldest open ledger alerts, each in one line."""
    rows = db.session.scalars(
        select(LedgerAlert).where(LedgerAlert.resolved_at.is_(None)).order_by(LedgerAlert.id).limit(limit)
    )
    return [f"alert {row.id}: {row.kind}: {row.detail}" for row in rows]


def health() -> Health:
    """Three statements, each by an index."""
    alerts = db.session.scalar(select(func.count()).where(LedgerAlert.resolved_at.is_(None)))
    last = db.session.execute(
        select(ReconciliationRun.unexplained, ReconciliationRun.at)
        .order_by(ReconciliationRun.id.desc())
        .limit(1)
    ).one_or_none()
    row = ReconciliationDifference
    counted = db.session.execute(
        select(row.difference_class, func.count()).where(row.state == "open").group_by(row.difference_class)
    )
    differences = dict.fromkeys(DIFFERENCE_CLASSES, 0)
    for name, count in counted:
        differences[name] = count
    if last is None:
        return Health(alerts or 0, 0, 0.0, differences)
    return Health(alerts or 0, to_cents(last.unexplained), last.at.timestamp(), differences)
