"""What a subscription's payment comes to when it goes back: which invoice it paid, and the plan that ends with it.

Locks: the subscription's row before its invoice's, as whoever mirrors Stripe's word does.
"""

from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from soulseer.db import after_commit, db
from soulseer.domain.disputes import DisputeState
from soulseer.domain.errors import Conflict, NotFound
from soulseer.models.disputes import Dispute
from soulseer.models.subscriptions import LIVE, Subscription, SubscriptionInvoice, SubscriptionOrder
from soulseer.services import subscription_orders, subscriptions
from soulseer.services.subscription_invoices import WHOLE

# An ending that Stripe refused is tried again.
AGAIN = timedelta(hours=1)
REASON = "its payment went back to the card"


def invoice_paid_by(payment_intent_id: str | None) -> int | None:
    """The invoice whose booked payment this was; None where it was none of an invoice."""
    if payment_intent_id is None:
        return None
    return db.session.scalar(
        select(SubscriptionInvoice.id).where(
            SubscriptionInvoice.stripe_payment_intent_id == payment_intent_id,
            SubscriptionInvoice.transaction_id.is_not(None),
        )
    )


def lock_invoice(invoice_id: int) -> SubscriptionInvoice:
    """The invoice with its subscription's row and its own locked. Raises NotFound."""
    subscription_id = db.session.scalar(
        select(SubscriptionInvoice.subscription_id).where(SubscriptionInvoice.id == invoice_id)
    )
    if subscription_id is None:
        raise NotFound(f"There is no invoice {invoice_id}.")
    subscriptions.locked(subscription_id)
    return db.session.scalars(
        select(SubscriptionInvoice)
        .where(SubscriptionInvoice.id == invoice_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def owner_of(invoice: SubscriptionInvoice) -> int:
    """Who paid it."""
    return db.session.get_one(Subscription, invoice.subscription_id).person_id


def hasten(subscription_id: int) -> None:
    """Have a worker look right after the commit whether the plan ends now; the sweep would do it anyway."""
    after_commit(lambda: subscription_orders.hasten(f"returned-{subscription_id}"))


def to_end(now: datetime, limit: int = 200) -> list[int]:
    """Subscriptions that run on though their payment went back: a dispute of one of their payments was lost, or all of
    the last whole period's was refunded. Not those that something is being done to, or that Stripe has just refused to end."""
    paid, later, order = SubscriptionInvoice, aliased(SubscriptionInvoice), SubscriptionOrder
    lost = exists().where(
        paid.subscription_id == Subscription.id,
        Dispute.subscription_invoice_id == paid.id,
        Dispute.state == DisputeState.LOST.value,
    )
    is_later = exists().where(
        later.subscription_id == Subscription.id,
        later.billing_reason.in_(WHOLE),
        later.transaction_id.is_not(None),
        later.issued_at > paid.issued_at,
    )
    refunded = exists().where(
        paid.subscription_id == Subscription.id,
        paid.billing_reason.in_(WHOLE),
        paid.transaction_id.is_not(None),
        paid.refunded_amount == paid.amount_paid,
        ~is_later.correlate(paid, Subscription),
    )
    in_hand = exists().where(
        order.subscription_id == Subscription.id,
        (order.state == "created") | ((order.kind == "end") & (order.created_at > now - AGAIN)),
    )
    found = db.session.scalars(
        select(Subscription.id)
        .where(Subscription.state.in_(LIVE), lost | refunded, ~in_hand)
        .order_by(Subscription.id)
        .limit(limit)
    )
    return list(found)


def end(subscription_id: int, now: datetime) -> bool:
    """Have Stripe told to end it at once (services/subscription_orders); whether that was not under way."""
    try:
        return (
            subscription_orders.place(subscription_id, "end", now, reason=REASON, by_sweep=True) is not None
        )
    except Conflict:
        # It has ended meanwhile, or something else is being done to it first.
        return False
