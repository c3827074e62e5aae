"""Subscriptions for staff: the list, one with its invoices, history and orders, and canceling one for its owner."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Row, Select, or_, select

from soulseer.db import after_commit, db
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.models.people import Person
from soulseer.models.subscriptions import (
    Plan,
    PlanPrice,
    Subscription,
    SubscriptionInvoice,
    SubscriptionMove,
    SubscriptionOrder,
)
from soulseer.services import audit, subscription_orders
from soulseer.services.console import Listed, Window, listed, on_days, people_named

# How many of each a subscription's page shows, newest first.
SHOWN = 100
WAYS = {"period_end": "cancel", "now": "end"}


@dataclass(frozen=True)
class Dossier:
    """One subscription with everything that is known of it, newest first."""

    found: Row
    invoices: list[SubscriptionInvoice]
    moves: list[Row]
    orders: list[SubscriptionOrder]


def _subscriptions() -> Select:
    return (
        select(
            Subscription.id,
            Subscription,
            PlanPrice,
            Plan,
            Person.handle.label("person"),
            Person.email.label("person_email"),
        )
        .join(PlanPrice, PlanPrice.id == Subscription.plan_price_id)
        .join(Plan, Plan.id == PlanPrice.plan_id)
        .join(Person, Person.id == Subscription.person_id)
    )


def subscriptions(
    window: Window,
    *,
    state: str | None = None,
    person: str | None = None,
    stripe: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Subscriptions, newest first. ``stripe``: the id of a subscription, a Checkout session or an invoice, whole."""
    query = _subscriptions().where(*on_days(Subscription.created_at, since, until))
    if state:
        query = query.where(Subscription.state == state)
    if person:
        query = query.where(Subscription.person_id.in_(people_named(person)))
    if stripe:
        billed = select(SubscriptionInvoice.subscription_id).where(
            SubscriptionInvoice.stripe_invoice_id == stripe
        )
        query = query.where(
            or_(
                Subscription.stripe_subscription_id == stripe,
                Subscription.stripe_checkout_session_id == stripe,
                Subscription.id.in_(billed),
            )
        )
    return listed(query, Subscription.id, window)


def subscription(subscription_id: int) -> Dossier:
    """One subscription. Raises NotFound."""
    found = db.session.execute(_subscriptions().where(Subscription.id == subscription_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no subscription {subscription_id}.")
    invoices = select(SubscriptionInvoice).where(SubscriptionInvoice.subscription_id == subscription_id)
    moves = (
        select(SubscriptionMove, Person.handle.label("actor"))
        .outerjoin(Person, Person.id == SubscriptionMove.actor_id)
        .where(SubscriptionMove.subscription_id == subscription_id)
    )
    orders = select(SubscriptionOrder).where(SubscriptionOrder.subscription_id == subscription_id)
    return Dossier(
        found,
        list(db.session.scalars(invoices.order_by(SubscriptionInvoice.id.desc()).limit(SHOWN))),
        list(db.session.execute(moves.order_by(SubscriptionMove.id.desc()).limit(SHOWN))),
        list(db.session.scalars(orders.order_by(SubscriptionOrder.id.desc()).limit(SHOWN))),
    )


def cancel(subscription_id: int, way: str, actor_id: int, reason: str, now: datetime) -> str:
    """Have a worker cancel the subscription once this is committed: ``period_end`` or ``now``. What is being done, in words.

    Raises NotFound, InvalidInput (``way``), Conflict where it is not live, canceled already, or something else is under way.
    """
    if way not in WAYS:
        raise InvalidInput("way", "Choose whether it ends with its period or now.")
    task = subscription_orders.place(
        subscription_id, WAYS[way], now, actor_id=actor_id, reason=reason, by_sweep=True
    )
    if task is None:
        raise Conflict(f"Subscription {subscription_id} ends with its period already.")
    audit.record(
        "subscription.cancel_asked",
        "subscription",
        subscription_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"order": task.order_id, "kind": task.kind},
    )
    about = f"order-{task.order_id}"
    after_commit(lambda: subscription_orders.hasten(about))
    when = "now" if task.kind == "end" else "with its period"
    return f"Subscription {subscription_id} is being canceled and ends {when}."
