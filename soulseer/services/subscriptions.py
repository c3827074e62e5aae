"""Subscriptions: what a person has, and the way to one through Stripe Checkout (design §2: intent, call, outcome).

What Stripe says of a subscription afterwards is recorded by services/subscription_mirror.py.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import Conflict, NotFound
from soulseer.gateways import stripe_subscriptions
from soulseer.gateways.stripe_subscriptions import SubscriptionCheckout
from soulseer.gateways.stripe_subscriptions import SubscriptionOrder as CheckoutOrder
from soulseer.models.subscriptions import (
    BEGINNING,
    ENTITLED,
    LIVE,
    Plan,
    PlanPrice,
    Subscription,
    SubscriptionInvoice,
    SubscriptionMove,
    SubscriptionOrder,
)
from soulseer.models.types import Instant
from soulseer.services import comparing, ledger, plans

# A request that is still under way is left alone for so long; a page answers within it.
FIRST_CHECK = timedelta(minutes=10)
OPEN_CHECK = timedelta(hours=1)
NOT_STARTED = "The payment service could not be reached in time. Nothing was charged."
REFUSED = "The payment service refused. Nothing was charged."


class AlreadySubscribed(Conflict):
    code, title = "already_subscribed", "You have a plan already: change it instead"


@dataclass(frozen=True)
class CurrentPlan:
    """What a person has now. ``state`` is the subscription's; "free" where the plan costs nothing."""

    code: str
    name: str
    state: str


@dataclass(frozen=True)
class Standing:
    """A subscription with its plan and price; ``order`` is what Stripe is still to do to it."""

    subscription: Subscription
    price: PlanPrice
    plan: Plan
    order: SubscriptionOrder | None = None


_CURRENT = (
    select(Plan.code, Plan.name, Subscription.state)
    .select_from(Plan)
    .outerjoin(PlanPrice, PlanPrice.plan_id == Plan.id)
    .outerjoin(
        Subscription,
        and_(
            Subscription.plan_price_id == PlanPrice.id,
            Subscription.person_id == bindparam("person"),
            Subscription.state.in_(ENTITLED),
            or_(
                Subscription.state != "past_due",
                bindparam("now", type_=Instant).is_(None),
                Subscription.grace_until > bindparam("now", type_=Instant),
            ),
        ),
    )
    .where(
        Plan.audience == bindparam("audience"),
        or_(Subscription.id.isnot(None), and_(Plan.active, Plan.monthly_price == Decimal(0))),
    )
    .order_by(Subscription.id.desc().nulls_last(), Plan.position)
    .limit(1)
)


def current_plan(person_id: int, audience: str, now: datetime | None = None) -> CurrentPlan | None:
    """The plan whose benefits the person has: the one paid for, else the audience's free one, else None. One statement.

    With ``now`` a grace that has just run out counts even before the sweep has written it.
    """
    row = db.session.execute(_CURRENT, {"person": person_id, "audience": audience, "now": now}).first()
    return None if row is None else CurrentPlan(row.code, row.name, row.state or "free")


def reference(subscription: Subscription) -> str:
    """The subscription's name at Stripe, the same at every retry; the instant tells databases of one account apart."""
    return f"subscription:{subscription.id}:{int(subscription.created_at.timestamp() * 1_000_000)}"


def number_in(name: object) -> int | None:
    """The subscription's id in such a name; None where it is none of ours."""
    parts = name.split(":") if isinstance(name, str) else []
    if len(parts) != 3 or parts[0] != "subscription" or not (parts[1].isascii() and parts[1].isdigit()):
        return None
    return int(parts[1]) if len(parts[1]) < 19 else None


def metadata(subscription: Subscription) -> dict[str, str]:
    """What Stripe keeps beside it and tells with every event."""
    return {"reference": reference(subscription), "person_id": str(subscription.person_id)}


def under_way(person_id: int, audience: str) -> Subscription | None:
    """The person's subscription that is live or being begun, its row locked."""
    return db.session.scalars(
        select(Subscription)
        .where(
            Subscription.person_id == person_id,
            Subscription.audience == audience,
            Subscription.state.in_(BEGINNING + LIVE),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def begin(person_id: int, plan: Plan, interval: str, now: datetime) -> Subscription:
    """Record that the person wants ``plan``; nothing is charged yet. The same again, also at once, is the same row.

    Where another plan's checkout is open, that row comes back: it has to be withdrawn first. Raises AlreadySubscribed.
    """
    price = plans.price_row(plan, interval, now)
    tried = db.session.scalar(
        select(func.count())
        .select_from(Subscription)
        .where(
            Subscription.person_id == person_id,
            Subscription.audience == plan.audience,
            Subscription.stripe_subscription_id.isnot(None),
        )
    )
    made = db.session.scalars(
        upsert(Subscription)
        .values(
            person_id=person_id,
            audience=plan.audience,
            plan_price_id=price.id,
            # One trial per person and audience.
            trial_days=0 if tried else plan.trial_days,
            state="created",
            cancel_at_period_end=False,
            created_at=now,
            next_check_at=now + FIRST_CHECK,
        )
        .on_conflict_do_nothing(
            index_elements=["person_id", "audience"],
            index_where=Subscription.state.in_(BEGINNING + LIVE),
        )
        .returning(Subscription)
    ).one_or_none()
    if made is not None:
        moved(made, None, "asked for", now, actor_id=person_id)
        return made
    found = under_way(person_id, plan.audience)
    if found is None:
        raise Conflict("This has just changed; please look again.")
    if found.state in LIVE:
        raise AlreadySubscribed()
    return found


def open_checkout(subscription: Subscription, customer_id: str, stripe_price_id: str) -> SubscriptionCheckout:
    """The subscription's Checkout session as Stripe has it now, opened first if that was not done yet.

    Call it outside any transaction. Raises StripeUnavailable (may be repeated: same idempotency key), StripeRefused.
    """
    stripe = gateways.current().stripe
    if subscription.stripe_checkout_session_id is not None:
        return stripe_subscriptions.retrieve_checkout(stripe, subscription.stripe_checkout_session_id)
    page = f"{policies.current().app_base_url}/membership/"
    name = reference(subscription)
    order = CheckoutOrder(
        customer_id=customer_id,
        price_id=stripe_price_id,
        trial_days=subscription.trial_days,
        reference=name,
        metadata=metadata(subscription),
        success_url=f"{page}?from=checkout",
        cancel_url=f"{page}?from=canceled",
    )
    return stripe_subscriptions.create_checkout(stripe, order, name)


def record_checkout(subscription_id: int, checkout: SubscriptionCheckout, now: datetime) -> Subscription:
    """Bring a subscription that is being begun to what Stripe says of its Checkout session.

    A completed one stays as it is: the subscription that came of it tells. What disagrees raises an alert and fails.
    """
    found = locked(subscription_id)
    expected: dict[str, tuple[Any, Any]] = {
        "id": (found.stripe_checkout_session_id or checkout.id, checkout.id),
        "mode": ("subscription", checkout.mode),
        "reference": (reference(found), checkout.reference),
        "livemode": (gateways.current().stripe.livemode, checkout.livemode),
    }
    wrong = comparing.differing(expected)
    if wrong:
        alert(found.id, f"Subscription {found.id}, {checkout.id}: {'; '.join(wrong)}", now)
        return close(found, "failed", REFUSED, now) if found.state in BEGINNING else found
    found.stripe_checkout_session_id = checkout.id
    found.checkout_url = checkout.url or found.checkout_url
    if found.state not in BEGINNING:
        return found
    if checkout.status == "expired":
        return close(found, "expired", None, now)
    if found.state == "created":
        moved(found, "open", "checkout opened", now)
    found.next_check_at = now + OPEN_CHECK
    return found


def close(found: Subscription, state: str, failure: str | None, now: datetime) -> Subscription:
    """A beginning that came to nothing: ``failed`` or ``expired``; the row is locked."""
    if found.state in BEGINNING:
        moved(found, state, failure or "the checkout was closed unpaid", now)
        found.failure, found.next_check_at = failure, None
    return found


def moved(
    found: Subscription, state: str | None, cause: str, now: datetime, *, actor_id: int | None = None
) -> None:
    """Move the row to ``state`` and write it into its history; None: it is new."""
    before = None if state is None else found.state
    found.state = state or found.state
    db.session.add(
        SubscriptionMove(
            subscription_id=found.id,
            from_state=before,
            to_state=found.state,
            cause=cause,
            actor_id=actor_id,
            at=now,
        )
    )


def locked(subscription_id: int) -> Subscription:
    """The row, locked. Raises NotFound."""
    found = db.session.scalars(
        select(Subscription)
        .where(Subscription.id == subscription_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    return found


def standings(person_id: int) -> list[Standing]:
    """What the person has or is about to have, newest first; per audience the live one, or the last that ended. One statement."""
    rows = db.session.execute(
        select(Subscription, PlanPrice, Plan, SubscriptionOrder)
        .ext(distinct_on(Subscription.audience))
        .join(PlanPrice, PlanPrice.id == Subscription.plan_price_id)
        .join(Plan, Plan.id == PlanPrice.plan_id)
        .outerjoin(
            SubscriptionOrder,
            and_(SubscriptionOrder.subscription_id == Subscription.id, SubscriptionOrder.state == "created"),
        )
        .where(Subscription.person_id == person_id, Subscription.state.notin_(("failed", "expired")))
        .order_by(
            Subscription.audience, Subscription.state.in_(BEGINNING + LIVE).desc(), Subscription.id.desc()
        )
    )
    return [Standing(row[0], row[1], row[2], row[3]) for row in rows]


def owned(person_id: int, subscription_id: int) -> Standing:
    """The person's own subscription. Raises NotFound, also for somebody else's."""
    row = db.session.execute(
        select(Subscription, PlanPrice, Plan)
        .join(PlanPrice, PlanPrice.id == Subscription.plan_price_id)
        .join(Plan, Plan.id == PlanPrice.plan_id)
        .where(Subscription.id == subscription_id, Subscription.person_id == person_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound()
    return Standing(row[0], row[1], row[2])


def invoices(person_id: int, *, before: int | None = None, limit: int = 10) -> list[SubscriptionInvoice]:
    """The person's invoices, newest first, from below the id ``before``: up to ``limit`` and one more."""
    return list(
        db.session.scalars(
            select(SubscriptionInvoice)
            .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
            .where(
                Subscription.person_id == person_id,
                SubscriptionInvoice.id < before if before is not None else true(),
            )
            .order_by(SubscriptionInvoice.id.desc())
            .limit(limit + 1)
        )
    )


def claim_due(now: datetime) -> Subscription | None:
    """Take one subscription that Stripe is to be asked about; None where there is none. It comes back by itself."""
    found = db.session.scalars(
        select(Subscription)
        .where(Subscription.state.in_(BEGINNING + LIVE), Subscription.next_check_at <= now)
        .order_by(Subscription.next_check_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if found is not None:
        found.next_check_at = now + OPEN_CHECK
    return found


def due_count(now: datetime) -> int:
    """How many are due."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(Subscription)
            .where(Subscription.state.in_(BEGINNING + LIVE), Subscription.next_check_at <= now)
        )
        or 0
    )


def alert(subscription_id: int, detail: str, now: datetime, kind: str = "subscription_mismatch") -> None:
    """Put a disagreement about a subscription before a person."""
    ledger.raise_alert(kind, detail, now, reference=f"subscription:{subscription_id}")


def yearly_saving(plan: Plan) -> Decimal:
    """What a year costs less than twelve months, dollars."""
    return plan.monthly_price * 12 - plan.yearly_price
