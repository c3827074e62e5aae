"""Rows of reconciliation as the job writes them, for tests of what is drawn from them."""

from decimal import Decimal

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.reconciliation import ReconciliationDifference, ReconciliationRun
from soulseer.services.reconciliation_proposals import entry
from tests.factories import START


def difference(reference: str, words: str, *, owner_id: int, gap: int = -150) -> int:
    """An open difference of ``gap`` cents with an entry for the client ``owner_id``; its id."""
    clearing, receivable = AccountKind.STRIPE_CLEARING, AccountKind.CLIENT_RECEIVABLE
    with transaction():
        row = ReconciliationDifference(
            reference=reference,
            difference_class="amount",
            words=words,
            ledger_amount=Decimal("25.00"),
            stripe_amount=Decimal("25.00") + Decimal(gap) / 100,
            gap=Decimal(gap) / 100,
            day=START.date(),
            proposal=entry(
                TransferKind.ADJUSTMENT, words, [(clearing, None, -gap), (receivable, owner_id, gap)]
            ),
            first_seen_at=START,
            last_seen_at=START,
        )
        db.session.add(row)
    return row.id


def run() -> int:
    """A comparison that found one such difference and two cents that nothing explains; its id."""
    with transaction():
        row = ReconciliationRun(
            at=START,
            whole=True,
            imported=3,
            booked=2,
            compared=5,
            differing=1,
            open_by_class={"amount": {"count": 1, "cents": -150, "cents_without_sign": 150}},
            ledger_balance=Decimal("1234.56"),
            stripe_available=Decimal("1000.00"),
            stripe_pending=Decimal("233.04"),
            gap=Decimal("-1.52"),
            explained=Decimal("-1.50"),
            unexplained=Decimal("0.02"),
            unaccounted=Decimal("-0.02"),
            entries_through=9,
            lines_through=9,
        )
        db.session.add(row)
    return row.id
