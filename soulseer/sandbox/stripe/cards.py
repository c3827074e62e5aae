"""The test cards that the checkout page knows (https://docs.stripe.com/testing)."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """Why a card is refused, in the words of Stripe's API."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True)
class Card:
    """A card as it was typed; `decline` is None where it pays."""

    number: str
    brand: str
    decline: Decline | None

    @property
    def last4(self) -> str:
        return self.number[-4:]


_DECLINES = {
    "4000000000000002": Decline("card_declined", "generic_decline", "Your card was declined."),
    # Stripe's card for "saved without complaint, refused when it is charged".
    "4000000000000341": Decline("card_declined", "generic_decline", "Your card was declined."),
    "4000000000009995": Decline("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "4000000000000069": Decline("expired_card", None, "Your card has expired."),
    "4000000000000127": Decline("incorrect_cvc", None, "Your card's security code is incorrect."),
    "4000000000000119": Decline(
        "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
    ),
}
_PAYING = {
    "4242424242424242": "visa",
    "5555555555554444": "mastercard",
    "378282246310005": "amex",
    "4000002760003184": "visa",
}
PAYS = Card("4242424242424242", "visa", None)
REFUSED_LATER = Card("4000000000000341", "visa", _DECLINES["4000000000000341"])
# Pays while its owner is there to confirm it, and never without.
ASKS_ITS_OWNER = "4000002760003184"
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)

KNOWN_CARDS: tuple[tuple[str, str], ...] = (
    ("4242 4242 4242 4242", "pays"),
    ("5555 5555 5555 4444", "pays (Mastercard)"),
    ("4000 0027 6000 3184", "pays, but saved it is refused without its owner"),
    ("4000 0000 0000 0002", "declined"),
    ("4000 0000 0000 9995", "insufficient funds"),
    ("4000 0000 0000 0069", "expired"),
    ("4000 0000 0000 0127", "wrong security code"),
    ("4000 0000 0000 0119", "processing error"),
)


def read_card(typed: str) -> Card | None:
    """The card with this number, blanks and dashes left out; None where it is no card number at all.

    A well-formed number that is no test card is declined, as Stripe does in test mode.
    """
    number = re.sub(r"[ -]", "", typed)
    if not re.fullmatch(r"[0-9]{13,19}", number) or not _passes_luhn(number):
        return None
    if number in _PAYING:
        return Card(number, _PAYING[number], None)
    foreign = Decline(
        "card_declined", "test_mode_live_card", "Your card was declined: only test cards work here."
    )
    return Card(number, "visa" if number.startswith("4") else "unknown", _DECLINES.get(number, foreign))


def _passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[0::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0
