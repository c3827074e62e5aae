"""The same deeds on our stand-in of Stripe and on another's: what they answer agrees, but for differences with a reason."""

from collections.abc import Callable

import pytest

from tests.sandbox.cross_check import catalogue, payments, recurring
from tests.sandbox.cross_check.asking import Facts
from tests.sandbox.cross_check.comparison import differences, without_codes
from tests.sandbox.cross_check.differences import KNOWN, NAMES_NO_CODES
from tests.sandbox.cross_check.servers import EMULATE, LOCALSTRIPE, OURS, Server

pytestmark = pytest.mark.xdist_group("cross_check")

OVERLAPS: dict[str, tuple[Callable[[Server], Facts], ...]] = {
    LOCALSTRIPE: (
        catalogue.customers, catalogue.pages, catalogue.keys, catalogue.products, catalogue.webhooks,
        payments.payment_succeeds, payments.payment_declined, payments.payment_asks_its_owner, payments.payment_at_fault,
        payments.refunds, payments.idempotency, payments.balance, payments.forgotten_card, recurring.subscriptions,
    ),
    EMULATE: (
        catalogue.customers, catalogue.pages, catalogue.keys, catalogue.products, catalogue.prices, catalogue.webhooks,
        recurring.checkout, recurring.closed_checkout,
    ),
}  # fmt: skip
CASES = [(other, deed) for other, deeds in OVERLAPS.items() for deed in deeds]


@pytest.mark.parametrize(("other", "deed"), CASES, ids=[f"{other}-{deed.__name__}" for other, deed in CASES])
def test_ours_and_the_other_agree(
    servers: dict[str, Server], other: str, deed: Callable[[Server], Facts]
) -> None:
    found = differences(deed(servers[OURS]), deed(servers[other]))
    if other in NAMES_NO_CODES:
        found = without_codes(found)
    known = KNOWN.get((other, deed.__name__), {})
    assert found == {name: (each.ours, each.theirs) for name, each in known.items()}


def test_every_known_difference_belongs_to_a_case_and_has_a_reason() -> None:
    assert KNOWN.keys() <= {(other, deed.__name__) for other, deed in CASES}
    assert all(each.why and each.ours != each.theirs for known in KNOWN.values() for each in known.values())
