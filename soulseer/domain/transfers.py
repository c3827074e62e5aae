"""The declared list of legal movements (design §3): what is not on it is refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import TransferNotAllowed


class TransferKind(StrEnum):
    TOP_UP = "top_up"
    READING_MINUTE = "reading_minute"
    FAIR_CREDIT = "fair_credit"
    PROMOTION = "promotion"
    ADJUSTMENT = "adjustment"
    BOOKING = "booking"
    BOOKING_REFUND = "booking_refund"
    GIFT = "gift"
    PAID_REPLY = "paid_reply"
    SHOP_ORDER = "shop_order"
    SUBSCRIPTION = "subscription"
    TIP = "tip"
    REFUND_TO_WALLET = "refund_to_wallet"
    REFUND_TO_CARD = "refund_to_card"
    CHARGEBACK = "chargeback"
    CHARGEBACK_WON = "chargeback_won"
    EARNINGS_RELEASE = "earnings_release"
    PAYOUT = "payout"
    PAYOUT_FAILED = "payout_failed"
    # Beyond design §3's list (ADR 0008).
    PROMOTION_SPENT = "promotion_spent"
    PROMOTION_EXPIRED = "promotion_expired"
    REFUND_FAILED = "refund_failed"
    RECEIVABLE_PAID = "receivable_paid"
    WRITE_OFF = "write_off"
    PAYOUT_SENT = "payout_sent"
    PROCESSOR_FEE = "processor_fee"
    BANK_TRANSFER = "bank_transfer"


@dataclass(frozen=True)
class Transfer:
    """``sources`` may fall, ``destinations`` may rise; ``split`` says that the reader's share applies."""

    sources: frozenset[A]
    destinations: frozenset[A]
    split: bool = False


def _transfer(sources: Iterable[A], destinations: Iterable[A], *, split: bool = False) -> Transfer:
    return Transfer(frozenset(sources), frozenset(destinations), split)


_FUNDS = (A.CLIENT_WALLET, A.CLIENT_PROMOTIONAL_CREDIT)
_EARNED = (A.READER_EARNINGS_PENDING, A.PLATFORM_REVENUE)
_TAKEN_BACK = (
    A.READER_EARNINGS_PENDING,
    A.READER_EARNINGS_AVAILABLE,
    A.READER_RECEIVABLE,
    A.PLATFORM_REVENUE,
)

TRANSFERS: dict[TransferKind, Transfer] = {
    TransferKind.TOP_UP: _transfer([A.STRIPE_CLEARING], [A.CLIENT_WALLET, A.CLIENT_RECEIVABLE]),
    TransferKind.READING_MINUTE: _transfer(_FUNDS, _EARNED, split=True),
    TransferKind.FAIR_CREDIT: _transfer(_TAKEN_BACK, _FUNDS, split=True),
    TransferKind.PROMOTION: _transfer(
        [A.PLATFORM_PROMOTIONS], [A.CLIENT_PROMOTIONAL_CREDIT, A.CLIENT_WALLET]
    ),
    TransferKind.ADJUSTMENT: _transfer(A, A),
    TransferKind.BOOKING: _transfer(_FUNDS, _EARNED, split=True),
    TransferKind.BOOKING_REFUND: _transfer(_TAKEN_BACK, _FUNDS, split=True),
    TransferKind.GIFT: _transfer(_FUNDS, _EARNED, split=True),
    TransferKind.PAID_REPLY: _transfer(_FUNDS, _EARNED, split=True),
    TransferKind.SHOP_ORDER: _transfer(_FUNDS, _EARNED, split=True),
    TransferKind.SUBSCRIPTION: _transfer([A.STRIPE_CLEARING, A.CLIENT_WALLET], [A.PLATFORM_REVENUE]),
    TransferKind.TIP: _transfer(_FUNDS, _EARNED, split=True),
    TransferKind.REFUND_TO_WALLET: _transfer(_TAKEN_BACK, _FUNDS, split=True),
    # What somebody gave back in Stripe's own dashboard of money that was spent here is owed by the client. What is
    # given back, or asked back by a bank, of a plan's payment is the platform's: it was revenue as soon as it was paid.
    TransferKind.REFUND_TO_CARD: _transfer(
        [*_TAKEN_BACK, A.CLIENT_WALLET, A.CLIENT_RECEIVABLE], [A.STRIPE_CLEARING]
    ),
    TransferKind.CHARGEBACK: _transfer(
        [A.CLIENT_WALLET, A.CLIENT_RECEIVABLE, A.PLATFORM_REVENUE], [A.STRIPE_CLEARING]
    ),
    TransferKind.CHARGEBACK_WON: _transfer(
        [A.STRIPE_CLEARING], [A.CLIENT_WALLET, A.CLIENT_RECEIVABLE, A.PLATFORM_REVENUE]
    ),
    TransferKind.EARNINGS_RELEASE: _transfer(
        [A.READER_EARNINGS_PENDING], [A.READER_EARNINGS_AVAILABLE, A.READER_RECEIVABLE]
    ),
    TransferKind.PAYOUT: _transfer([A.READER_EARNINGS_AVAILABLE], [A.PAYOUTS_IN_TRANSIT, A.STRIPE_CLEARING]),
    TransferKind.PAYOUT_FAILED: _transfer(
        [A.PAYOUTS_IN_TRANSIT, A.STRIPE_CLEARING], [A.READER_EARNINGS_AVAILABLE]
    ),
    # Promotional credit reaches a reader by way of the wallet, in the transaction that spends it.
    TransferKind.PROMOTION_SPENT: _transfer([A.CLIENT_PROMOTIONAL_CREDIT], [A.CLIENT_WALLET]),
    TransferKind.PROMOTION_EXPIRED: _transfer([A.CLIENT_PROMOTIONAL_CREDIT], [A.PLATFORM_PROMOTIONS]),
    # A refund to a card that Stripe refused, or that came back later: the money is the client's again.
    TransferKind.REFUND_FAILED: _transfer(
        [A.STRIPE_CLEARING], [A.CLIENT_WALLET, A.CLIENT_RECEIVABLE, A.PLATFORM_REVENUE]
    ),
    # What was owed is paid from what came in since.
    TransferKind.RECEIVABLE_PAID: _transfer(
        [A.CLIENT_WALLET, A.READER_EARNINGS_PENDING, A.READER_EARNINGS_AVAILABLE],
        [A.CLIENT_RECEIVABLE, A.READER_RECEIVABLE],
    ),
    TransferKind.WRITE_OFF: _transfer([A.PLATFORM_REVENUE], [A.CLIENT_RECEIVABLE, A.READER_RECEIVABLE]),
    TransferKind.PAYOUT_SENT: _transfer([A.PAYOUTS_IN_TRANSIT], [A.STRIPE_CLEARING]),
    # Stripe's fees, and those that it gives back.
    TransferKind.PROCESSOR_FEE: _transfer(
        [A.PROCESSOR_FEES, A.STRIPE_CLEARING], [A.STRIPE_CLEARING, A.PROCESSOR_FEES]
    ),
    TransferKind.BANK_TRANSFER: _transfer(
        [A.PLATFORM_BANK, A.STRIPE_CLEARING], [A.STRIPE_CLEARING, A.PLATFORM_BANK]
    ),
}


def check_legal(kind: TransferKind, entries: Iterable[tuple[A, int]]) -> None:
    """Raise TransferNotAllowed unless every (account kind, signed cents) fits the declared list and they sum to zero."""
    transfer = TRANSFERS[kind]
    rows = list(entries)
    if len(rows) < 2 or sum(cents for _, cents in rows) != 0 or any(cents == 0 for _, cents in rows):
        raise TransferNotAllowed(f"{kind}: needs two or more entries that sum to zero")
    for account, cents in rows:
        allowed = transfer.sources if cents < 0 else transfer.destinations
        if account not in allowed:
            direction = "from" if cents < 0 else "to"
            raise TransferNotAllowed(f"{kind}: not {direction} {account}")
