"""Money is exact: splits sum to the whole, halves go to the even cent, and what is typed is an amount or refused."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soulseer.domain.money import credit_for, from_cents, parse_amount, share_of, split, to_cents

CENTS = st.integers(min_value=0, max_value=10**11)
RATES = st.integers(min_value=1, max_value=100_000)
SHARES = st.decimals(min_value=0, max_value=1, places=4)
KEPT = st.integers(min_value=0, max_value=60_000_000)


def half_even(exact: Fraction) -> int:
    """Python rounds fractions half to even, without any context of precision."""
    return round(exact)


@given(CENTS, SHARES)
@example(1, Decimal("0.5"))
@example(3, Decimal("0.5"))
def test_the_parts_of_a_split_sum_to_the_whole_and_halves_go_to_the_even_cent(
    cents: int, share: Decimal
) -> None:
    reader, platform = split(cents, share)
    assert reader + platform == cents
    assert reader >= 0
    assert platform >= 0
    assert reader == half_even(cents * Fraction(share))


@pytest.mark.parametrize(
    ("cents", "reader"), [(199, 139), (5, 4), (15, 10), (25, 18), (35, 24), (1, 1), (0, 0), (100_000, 70_000)]
)
def test_seventy_per_cent(cents: int, reader: int) -> None:
    assert share_of(cents, Decimal("0.70")) == reader


@given(RATES, KEPT)
@example(1, 30_000_000)
@example(3, 30_000_000)
def test_credit_is_half_even_of_rate_times_kept_time(rate: int, kept: int) -> None:
    credit = credit_for(rate, kept)
    assert credit == half_even(Fraction(rate * kept, 60_000_000))
    assert 0 <= credit <= rate


@given(RATES, KEPT, SHARES)
def test_what_each_side_gives_back_lies_between_nothing_and_the_credit(
    rate: int, kept: int, share: Decimal
) -> None:
    credit = credit_for(rate, kept)
    reader = share_of(rate, share) - share_of(rate - credit, share)
    assert 0 <= reader <= credit


@given(st.integers(min_value=-(10**30), max_value=10**30))
def test_cents_and_dollars_are_two_forms_of_one_number(cents: int) -> None:
    exact = Decimal(cents).scaleb(-2) if abs(cents) < 10**27 else Decimal(f"{cents}e-2")
    assert to_cents(exact) == cents


@given(CENTS)
def test_dollars_have_two_decimals(cents: int) -> None:
    dollars = from_cents(cents)
    assert dollars.as_tuple().exponent == -2
    assert to_cents(dollars) == cents


@pytest.mark.parametrize(
    "amount",
    [
        "0.001",
        "1.999",
        "-0.005",
        "1.9999999999999999999999999999999999",
        "NaN",
        "-NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1e-400",
    ],
)
def test_no_fraction_of_a_cent_passes_and_nothing_that_is_no_number(amount: str) -> None:
    with pytest.raises(ValueError, match=r"cent|number"):
        to_cents(Decimal(amount))


@pytest.mark.parametrize(
    ("typed", "dollars"),
    [
        ("25", "25.00"),
        ("25.5", "25.50"),
        (" 0.01 ", "0.01"),
        ("007.10", "7.10"),
        ("999999999.99", "999999999.99"),
    ],
)
def test_an_amount_as_people_type_it(typed: str, dollars: str) -> None:
    amount = parse_amount(typed)
    assert (amount, amount.as_tuple().exponent) == (Decimal(dollars), -2)


BAD_AMOUNTS = [
    *["-1", "-0.01", "+5", "0", "0.0", "0.00", "000", "NaN", "nan", "sNaN", "inf", "Infinity", "-Infinity", "1e400", "1e2", "1E2", "1e-2", "0x10", "1_000"],
    *["1,000", "1,50", "$5", "5$", "1.234", "0.001", ".5", "5.", ".", "１２", "٣", "1．00", "²", "Ⅷ", "1234567890"],
    *("", " ", "5 0", "5\n6", "5\x00", "9" * 1_000_000),
]  # fmt: skip


@pytest.mark.parametrize("typed", BAD_AMOUNTS, ids=lambda typed: ascii(typed)[:20])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(typed)


@pytest.mark.parametrize("typed", [None, 5, 5.0, True, Decimal(5), ["5"], {"amount": "5"}, b"5"])
def test_only_text_is_an_amount(typed: object) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(typed)  # type: ignore[arg-type]


@given(st.text())
def test_any_text_is_a_positive_amount_of_whole_cents_or_refused(typed: str) -> None:
    try:
        amount = parse_amount(typed)
    except ValueError:
        return
    assert 0 < amount < 10**9
    assert to_cents(amount) > 0
    assert typed.strip().isascii()
