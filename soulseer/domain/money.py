"""Exact money: Decimal dollars at every interface, whole cents in the database; never a float."""

import re
from decimal import ROUND_HALF_EVEN, Decimal

CURRENCY = "USD"
CENT = Decimal("0.01")
# ASCII digits only: \d would let full-width digits through.
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")


def to_cents(amount: Decimal) -> int:
    """Whole cents of an exact dollar amount. Raises ValueError if it has a fraction of a cent or is no number."""
    if not amount.is_finite():
        raise ValueError(f"{amount} is not a number of dollars")
    # Not amount * 100, which decimal rounds to 28 digits: a fraction behind them would pass.
    numerator, denominator = amount.as_integer_ratio()
    cents, rest = divmod(numerator * 100, denominator)
    if rest:
        raise ValueError(f"{amount} has a fraction of a cent")
    return cents


def from_cents(cents: int) -> Decimal:
    """Dollars with two decimals."""
    return (Decimal(cents) / 100).quantize(CENT)


def parse_amount(text: str) -> Decimal:
    """A positive dollar amount as typed: up to nine digits, at most two decimals.

    Raises ValueError with a sentence to show otherwise (negative, zero, NaN, exponents, full-width digits…).
    """
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text.strip()):
        raise ValueError("Enter an amount in dollars with at most two decimals, such as 25 or 25.00.")
    amount = Decimal(text.strip()).quantize(CENT)
    if amount <= 0:
        raise ValueError("The amount must be more than zero.")
    return amount


def share_of(cents: int, share: Decimal) -> int:
    """The reader's part of ``cents``, half-even to the cent (design §3); the platform takes the remainder."""
    return int((Decimal(cents) * share).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def split(cents: int, share: Decimal) -> tuple[int, int]:
    """(reader's cents, platform's cents), which always sum to the whole."""
    reader = share_of(cents, share)
    return reader, cents - reader


def credit_for(rate_cents: int, kept_microseconds: int) -> int:
    """Fair credit in cents: half-even(rate × kept seconds / 60) (design §4, rule 7)."""
    exact = Decimal(rate_cents) * Decimal(kept_microseconds) / Decimal(60_000_000)
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def reader_gave_back(rate: int, reader_rate: int, share: Decimal, given_back: int) -> int:
    """The reader's part once ``given_back`` cents of a reading's minutes are given back, fair credit included.

    Whole minutes by their own split, the rest of one as a fair credit does: share(rate) − share(rate − rest) (design
    §4, rule 7). So the parts of several credits and refunds sum exactly to those of the minutes.
    """
    minutes, rest = divmod(given_back, rate)
    return minutes * reader_rate + (reader_rate - share_of(rate - rest, share) if rest else 0)


def earned_cents(minutes: int, rate: int, reader_rate: int, credit: int, share: Decimal) -> int:
    """The reader's part of a session in cents: the minutes' parts less what a fair credit took back (design §4, 7)."""
    return minutes * reader_rate - reader_gave_back(rate, reader_rate, share, credit)
