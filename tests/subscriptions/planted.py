"""A subscription with an invoice, a failed order and a history, for the console's crawl and the books' check."""

from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.subscriptions import Subscription, SubscriptionInvoice, SubscriptionOrder
from soulseer.services import ledger, plans, subscriptions
from tests import factories
from tests.factories import START


def running_subscription(words: str = "planted", person_id: int | None = None) -> int:
    """An active one at 29.00 a month, paid once; ``words`` stand wherever somebody outside may write. Its id."""
    owner = person_id if person_id is not None else factories.person("client", "reader").id
    with transaction():
        plans.seed(START)
        price = plans.price_row(plans.chosen("starter", "month", ["reader"]), "month", START)
        row = Subscription(
            person_id=owner,
            audience="reader",
            plan_price_id=price.id,
            state="active",
            stripe_subscription_id=f"sub_{owner}",
            failure=words,
            created_at=START,
        )
        db.session.add(row)
        db.session.flush()
        subscriptions.moved(row, None, words, START, actor_id=owner)
        transaction_id, _ = ledger.post(
            TransferKind.SUBSCRIPTION,
            f"subscription:invoice:in_{owner}",
            [
                ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), Decimal("-29.00")),
                ledger.Posting(ledger.account_id(AccountKind.PLATFORM_REVENUE), Decimal("29.00")),
            ],
            START,
            stripe_reference=f"pi_{owner}",
        )
        db.session.add_all(
            [
                SubscriptionInvoice(
                    subscription_id=row.id,
                    stripe_invoice_id=f"in_{owner}",
                    number=words,
                    state="paid",
                    billing_reason=words,
                    total=Decimal("29.00"),
                    amount_due=Decimal("29.00"),
                    amount_paid=Decimal("29.00"),
                    currency="USD",
                    stripe_payment_intent_id=f"pi_{owner}",
                    transaction_id=transaction_id,
                    issued_at=START,
                    paid_at=START,
                ),
                SubscriptionOrder(
                    subscription_id=row.id,
                    kind="cancel",
                    state="failed",
                    failure=words,
                    reason=words,
                    created_at=START,
                    done_at=START,
                    next_check_at=START,
                ),
            ]
        )
        return row.id


def invoice_of(subscription_id: int) -> int:
    """The id of its invoice."""
    query = select(SubscriptionInvoice.id).where(SubscriptionInvoice.subscription_id == subscription_id)
    return db.session.scalars(query).one()
