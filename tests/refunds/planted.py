"""Refunds for tests of the console and of the books as a whole."""

from decimal import Decimal

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.payments import TopUp
from soulseer.models.refunds import Refund
from soulseer.services import ledger, refund_plans, refunds
from soulseer.services.reversals import READING, TOP_UP, Source
from tests import factories


def waiting_refund(reading_session_id: int, words: str) -> int:
    """One of a finalized reading, asked for by somebody else with the reason ``words``: its id."""
    asker = factories.person("support").id
    with transaction():
        plan = refund_plans.plan(Source(READING, reading_session_id), Decimal("1.00"))
        made = Refund(
            person_id=plan.person_id,
            destination="wallet",
            origin="staff",
            needs_approval=True,
            requested_by=asker,
            request_key="planted",
            reason=words,
            **refunds.described(plan, factories.START),
        )
        db.session.add(made)
        db.session.flush()
        return made.id


def booked_refunds(reading_session_id: int) -> None:
    """A dollar of a finalized reading back to the wallet, and five of a top-up on their way to the card."""
    asker, client = factories.person("support").id, factories.person().id
    with transaction():
        wallet = ledger.account_id(AccountKind.CLIENT_WALLET, client)
        row = TopUp(
            person_id=client,
            account_id=wallet,
            amount=Decimal("25.00"),
            state="paid",
            created_at=factories.START,
            paid_at=factories.START,
            stripe_checkout_session_id="cs_refunded",
            stripe_payment_intent_id="pi_refunded",
        )
        db.session.add(row)
        postings = [
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), Decimal("-25.00")),
            ledger.Posting(wallet, Decimal("25.00")),
        ]
        ledger.post(
            TransferKind.TOP_UP,
            "top-up:cs_refunded",
            postings,
            factories.START,
            stripe_reference="pi_refunded",
        )
    for source, amount in ((Source(READING, reading_session_id), "1.00"), (Source(TOP_UP, row.id), "5.00")):
        with transaction():
            plan = refund_plans.plan(source, Decimal(amount))
            refunds.request(
                source,
                Decimal(amount),
                plan.hash,
                asker,
                "Planted for a test",
                factories.START,
                key=str(source),
            )
