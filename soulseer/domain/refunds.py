"""Refunds as plain rules: their states and moves, and whose part of a refund is how much. Amounts in cents."""

from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum


class RefundState(StrEnum):
    """``requested``: waits for a second person; ``approved``: booked, Stripe is about to be asked; ``sent``: Stripe has
    taken it on; ``settled``: done; ``failed``: it came back, the money is the client's again."""

    REQUESTED = "requested"
    APPROVED = "approved"
    SENT = "sent"
    SETTLED = "settled"
    FAILED = "failed"
    DECLINED = "declined"
    CANCELLED = "cancelled"


# A refund that needs nobody's approval goes on from ``requested`` in the transaction that made it. Banks send money
# back weeks after Stripe said that it was through: settled → failed.
REFUND_MOVES = (
    ("requested", "approved"),
    ("requested", "sent"),
    ("requested", "settled"),
    ("requested", "declined"),
    ("requested", "cancelled"),
    ("approved", "sent"),
    ("approved", "settled"),
    ("approved", "failed"),
    ("sent", "settled"),
    ("sent", "failed"),
    ("settled", "failed"),
)
# Money is booked for these; for the first three it is with the card, or on its way there.
GIVEN = (RefundState.APPROVED, RefundState.SENT, RefundState.SETTLED)
BOOKED = (*GIVEN, RefundState.FAILED)


class Destination(StrEnum):
    WALLET = "wallet"
    CARD = "card"


class Origin(StrEnum):
    """Who wanted it: a member of staff, the client for unspent money, somebody in Stripe's own dashboard, or the evidence
    of a reading's connection that came after the receipt (services/evidence_refunds.py)."""

    STAFF = "staff"
    WITHDRAWAL = "withdrawal"
    STRIPE = "stripe"
    EVIDENCE = "evidence"


def reader_gave_back_of(total: int, reader_part: int, given_back: int) -> int:
    """The same of one movement of ``total`` cents, of which the reader had ``reader_part``: the share is theirs."""
    left = Decimal(reader_part) * (total - given_back) / total
    return reader_part - int(left.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
