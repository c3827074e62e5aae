"""What every sweep shares: whatever becomes of one row stops no other, and only what nobody expected is an error."""

from collections import Counter
from typing import Any

import pytest

from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.jobs import sweeping


def failing(error: Exception) -> Any:
    def fail(*_: Any) -> Any:
        raise error

    return fail


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("ask", "record", "refused", "outcome"),
    [
        (lambda: 1, str, failing(ZeroDivisionError()), "1"),
        (failing(StripeRefused()), str, lambda _: "declined", "declined"),
        (failing(StripeUnavailable(may_have_happened=True)), str, str, "unanswered"),
        (failing(ZeroDivisionError()), str, str, "error"),
        (lambda: 1, failing(ZeroDivisionError()), str, "error"),
        (failing(StripeRefused()), str, failing(ZeroDivisionError()), "error"),
    ],
    ids=[
        "recorded",
        "refused",
        "unanswered",
        "asking fails",
        "recording fails",
        "recording the refusal fails",
    ],
)
def test_each_outcome(ask: Any, record: Any, refused: Any, outcome: str) -> None:
    assert sweeping.outcome_of("refund", 17, ask, record, refused) == outcome


def test_an_error_is_counted_as_one_under_any_prefix() -> None:
    left, counts = iter(["done", "error", "done", None]), Counter[str]()
    assert sweeping.each(lambda: next(left), counts, prefix="order_") is True
    assert counts == {"order_done": 2, "error": 1}


def test_a_sweep_leaves_the_rest_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "LONGEST_SECONDS", -1)
    counts: Counter[str] = Counter()
    assert sweeping.each(lambda: "done", counts) is False
    assert counts == {"done": 1}
