"""Every table, so that one import fills the metadata."""

from soulseer.models import (
    disputes,
    earnings,
    ledger,
    mail,
    operations,
    payments,
    payouts,
    people,
    promotions,
    readers,
    readings,
    reconciliation,
    refunds,
    subscriptions,
)

__all__ = [
    "disputes",
    "earnings",
    "ledger",
    "mail",
    "operations",
    "payments",
    "payouts",
    "people",
    "promotions",
    "readers",
    "readings",
    "reconciliation",
    "refunds",
    "subscriptions",
]
