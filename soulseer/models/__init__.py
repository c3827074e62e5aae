"""Every table, so that one import fills the metadata."""

from soulseer.models import (
    auto_reload,
    disputes,
    earnings,
    favourites,
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
    "auto_reload",
    "disputes",
    "earnings",
    "favourites",
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
