"""The messages about refunds read well in every state, to the card and to the wallet."""

import pytest

from soulseer.domain.refunds import RefundState
from soulseer.services import mail_texts

TOLD = [state for state in RefundState if state is not RefundState.CANCELLED]


@pytest.mark.parametrize("destination", ["card", "wallet"])
@pytest.mark.parametrize("state", TOLD)
def test_every_state_is_told(app, state: RefundState, destination: str) -> None:
    values = {
        "amount": "1234.50",
        "destination": destination,
        "refund": "7",
        "failure": "Your bank sent it back.",
    }
    written = mail_texts.write(f"refund_{state}", values, handle="moon", time_zone="Europe/Berlin")
    assert "$1,234.50" in written.subject
    assert "$1,234.50" in written.text
    assert "/wallet/refunds/" in written.text
    assert "{" not in written.text + written.html
    if state is RefundState.FAILED:
        assert "Your bank sent it back." in written.text
    if state is RefundState.SETTLED:
        assert ("5 to 10 days" in written.text) == (destination == "card")
