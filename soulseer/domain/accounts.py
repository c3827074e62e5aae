"""The chart of accounts. A balance is the sum of an account's entries; what is owed to its owner is positive."""

from dataclasses import dataclass
from enum import StrEnum


class AccountKind(StrEnum):
    CLIENT_WALLET = "client_wallet"
    CLIENT_RECEIVABLE = "client_receivable"
    CLIENT_PROMOTIONAL_CREDIT = "client_promotional_credit"
    READER_EARNINGS_PENDING = "reader_earnings_pending"
    READER_EARNINGS_AVAILABLE = "reader_earnings_available"
    READER_RECEIVABLE = "reader_receivable"
    PLATFORM_REVENUE = "platform_revenue"
    PLATFORM_PROMOTIONS = "platform_promotions"
    PROCESSOR_FEES = "processor_fees"
    STRIPE_CLEARING = "stripe_clearing"
    PAYOUTS_IN_TRANSIT = "payouts_in_transit"
    PLATFORM_BANK = "platform_bank"


@dataclass(frozen=True)
class AccountRule:
    """``floor_cents`` is the lowest balance allowed (None: no floor). ``hot`` accounts keep their balance in shards,
    so that many movements at once do not wait for one row."""

    personal: bool
    floor_cents: int | None
    hot: bool = False


CHART: dict[AccountKind, AccountRule] = {
    AccountKind.CLIENT_WALLET: AccountRule(personal=True, floor_cents=0),
    AccountKind.CLIENT_RECEIVABLE: AccountRule(personal=True, floor_cents=None),
    AccountKind.CLIENT_PROMOTIONAL_CREDIT: AccountRule(personal=True, floor_cents=0),
    AccountKind.READER_EARNINGS_PENDING: AccountRule(personal=True, floor_cents=0),
    AccountKind.READER_EARNINGS_AVAILABLE: AccountRule(personal=True, floor_cents=0),
    AccountKind.READER_RECEIVABLE: AccountRule(personal=True, floor_cents=None),
    AccountKind.PLATFORM_REVENUE: AccountRule(personal=False, floor_cents=None, hot=True),
    AccountKind.PLATFORM_PROMOTIONS: AccountRule(personal=False, floor_cents=None, hot=True),
    AccountKind.PROCESSOR_FEES: AccountRule(personal=False, floor_cents=None, hot=True),
    AccountKind.STRIPE_CLEARING: AccountRule(personal=False, floor_cents=None, hot=True),
    AccountKind.PAYOUTS_IN_TRANSIT: AccountRule(personal=False, floor_cents=None, hot=True),
    # Money that Stripe has sent on to the platform's own bank account, negative like Stripe clearing.
    AccountKind.PLATFORM_BANK: AccountRule(personal=False, floor_cents=None, hot=True),
}

PLATFORM_KINDS = tuple(kind for kind, rule in CHART.items() if not rule.personal)
SHARDS = 16
