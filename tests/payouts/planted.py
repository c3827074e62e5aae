"""A payout that waits for Stripe, and its reader's account, for tests of the console: no stand-in needed."""

from soulseer.db import transaction
from soulseer.services import payout_accounts, payouts
from tests.factories import START
from tests.payouts.world import LATER, Reader


def open_payout(script: str) -> tuple[int, int]:
    """(payout's id, reader's id); ``script`` stands in every text that Stripe or staff may fill."""
    reader = Reader()
    reader.earn("40.00")
    reader.release()
    with transaction():
        account = payout_accounts.begin(reader.id, START)
        account.stripe_account_id = "acct_planted"
        account.details_submitted = account.transfers_enabled = True
        account.currently_due, account.disabled_reason = [script], script
    with transaction():
        payout_id = payouts.begin(reader.id, LATER, origin="request").id
        payout_accounts.pause(reader.id, script, LATER)
    return payout_id, reader.id
