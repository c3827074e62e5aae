"""A lost dispute over money that was partly spent, for the test of the books' check."""

from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.gateways.stripe_disputes import StripeDispute
from soulseer.models.disputes import Dispute
from soulseer.models.payments import TopUp
from soulseer.services import disputes, ledger
from tests import factories
from tests.factories import START


def lost_dispute() -> int:
    """25.00 topped up, 20.00 of it spent, all of it asked back: 5.00 out of the wallet, 20.00 owed. The dispute's id."""
    client = factories.person()
    with transaction():
        wallet = ledger.account_id(AccountKind.CLIENT_WALLET, client.id)
        row = TopUp(
            person_id=client.id, account_id=wallet, amount=Decimal("25.00"), state="paid", created_at=START
        )
        row.paid_at, row.stripe_checkout_session_id = START, "cs_disputed"
        row.stripe_payment_intent_id = "pi_disputed"
        db.session.add(row)
        for kind, key, account, amount in (
            (TransferKind.TOP_UP, "top-up:cs_disputed", AccountKind.STRIPE_CLEARING, "25.00"),
            (TransferKind.ADJUSTMENT, "spent", AccountKind.PLATFORM_REVENUE, "-20.00"),
        ):
            postings = [
                ledger.Posting(ledger.account_id(account), -Decimal(amount)),
                ledger.Posting(wallet, Decimal(amount)),
            ]
            ledger.post(kind, key, postings, START)
    word = StripeDispute(
        id="dp_1",
        status="lost",
        reason="fraudulent",
        amount_cents=2500,
        currency="USD",
        livemode=False,
        opened_at=START,
        payment_intent_id="pi_disputed",
        withdrawn_cents=2500,
    )
    with transaction():
        assert disputes.record(word, START).status == "processed"
        return db.session.scalars(select(Dispute.id).where(Dispute.stripe_dispute_id == word.id)).one()
