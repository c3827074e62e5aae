"""What mail says of payouts: amounts in dollars, the reason, and where to go."""

import pytest

from soulseer.services import mail_texts

PAGE = "http://127.0.0.1:8000/payouts/7/"
VALUES = {
    "payout_paid": ({"amount": "40.00", "failure": "", "page": PAGE}, "$40.00"),
    "payout_failed": (
        {"amount": "40.00", "failure": "Stripe refused this payout.", "page": PAGE},
        "Stripe refused this payout.",
    ),
    "payouts_paused": ({"reason": "We are looking into it.", "page": PAGE}, "We are looking into it."),
    "payout_requirements": (
        {"needed": "- Your date of birth\n- Your home address", "page": PAGE},
        "- Your home address",
    ),
}


@pytest.mark.parametrize("template", VALUES)
def test_mail(app, template: str) -> None:
    values, words = VALUES[template]
    written = mail_texts.write(template, values, handle="luna", time_zone="Europe/Lisbon")
    assert words in written.subject + written.text
    assert PAGE in written.text
    assert "{" not in written.subject + written.text
