"""What is to be done to a subscription at Stripe: recorded, told to Stripe under the order's own key, recorded again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.errors import Conflict
from soulseer.gateways import stripe_subscriptions
from soulseer.gateways.stripe import StripeRefused
from soulseer.models.subscriptions import LIVE, PlanPrice, Subscription, SubscriptionOrder
from soulseer.services import subscription_mirror, subscriptions
from soulseer.services.subscription_mirror import Word

JOB = "check_subscriptions"
# A request that is still under way is left alone for so long.
FIRST_CHECK, AGAIN, MOST_WAIT = timedelta(minutes=2), timedelta(minutes=2), timedelta(hours=1)
# Past these Stripe may have forgotten the key: what was not done by then is not done any more.
RESUMED_FOR = timedelta(hours=12)
# A preview is good for so long.
RECKONED_FOR = timedelta(hours=1)
REFUSED = {
    "change": "The payment service refused the change: the card could not be charged. Nothing was changed.",
    "cancel": "The payment service refused. Your plan goes on as before.",
    "undo": "The payment service refused. Your plan still ends with its period.",
    "end": "The payment service refused. The plan goes on as before.",
}
GIVEN_UP = "The payment service could not be reached for hours. Please try again."
CAUSES = {
    "change": "plan changed",
    "cancel": "canceled by its owner",
    "undo": "cancellation undone",
    "end": "ended at once",
}


@dataclass(frozen=True)
class Task:
    """An order in hand: everything that the calls need."""

    order_id: int
    subscription_id: int
    kind: str
    stripe_subscription_id: str
    plan_price_id: int | None
    reckoned_at: datetime
    key: str


def place(
    subscription_id: int,
    kind: str,
    now: datetime,
    *,
    price: PlanPrice | None = None,
    reckoned_at: datetime | None = None,
    actor_id: int | None = None,
    reason: str = "",
    by_sweep: bool = False,
) -> Task | None:
    """Record what is wanted of a live subscription; the same again, also at once, is the same order.

    None: it is so already. ``reckoned_at``: the instant of the preview that was shown. ``by_sweep``: the caller
    leaves it to the sweep. Raises Conflict where the
    subscription is not live, or something else is being done to it.
    """
    row = subscriptions.locked(subscription_id)
    if row.state not in LIVE:
        raise Conflict("This plan is not running any more.")
    if kind == "cancel" and row.state in ("past_due", "lapsed"):
        # Nothing is paid for that could run on.
        kind = "end"
    wanted = price.id if price is not None else None
    waiting = db.session.scalars(
        select(SubscriptionOrder).where(
            SubscriptionOrder.subscription_id == row.id, SubscriptionOrder.state == "created"
        )
    ).one_or_none()
    if waiting is not None:
        if (waiting.kind, waiting.plan_price_id) != (kind, wanted):
            raise Conflict("Something else is being done to this plan; please wait a moment.")
        return _task(row, waiting)
    done = {
        "cancel": row.cancel_at_period_end,
        "undo": not row.cancel_at_period_end,
        "change": row.plan_price_id == wanted and not row.cancel_at_period_end,
    }
    if done.get(kind, False):
        return None
    if kind == "change" and row.state in ("past_due", "lapsed"):
        raise Conflict("The last payment failed: please pay it first, then change the plan.")
    at = reckoned_at if reckoned_at is not None and timedelta(0) <= now - reckoned_at <= RECKONED_FOR else now
    order = SubscriptionOrder(
        subscription_id=row.id,
        kind=kind,
        plan_price_id=wanted,
        reckoned_at=at if kind == "change" else None,
        state="created",
        actor_id=actor_id,
        reason=reason,
        created_at=now,
        next_check_at=now if by_sweep else now + FIRST_CHECK,
    )
    db.session.add(order)
    db.session.flush()
    return _task(row, order)


def _task(row: Subscription, order: SubscriptionOrder) -> Task:
    return Task(
        order.id,
        row.id,
        order.kind,
        row.stripe_subscription_id or "",
        order.plan_price_id,
        order.reckoned_at or order.created_at,
        f"subscription-order:{order.id}:{int(order.created_at.timestamp() * 1_000_000)}",
    )


def carry_out(task: Task, stripe_price_id: str | None) -> Word | None:
    """Have Stripe do it, and ask how things stand afterwards. Call it outside any transaction.

    ``stripe_price_id``: of the price that a change leads to. Raises StripeUnavailable (may be repeated: same key),
    StripeRefused.
    """
    stripe, name = gateways.current().stripe, task.stripe_subscription_id
    if task.kind == "end":
        try:
            stripe_subscriptions.cancel_now(stripe, name, task.key)
        except StripeRefused as error:
            # It is over already, perhaps by an earlier try whose answer was lost.
            if not error.missing:
                raise
    elif task.kind == "change":
        found = stripe_subscriptions.retrieve(stripe, name)
        if found is None or stripe_price_id is None:
            raise StripeRefused(missing=True)
        if found.price_id != stripe_price_id:
            stripe_subscriptions.change_price(stripe, found, stripe_price_id, task.reckoned_at, task.key)
        elif found.cancel_at_period_end:
            stripe_subscriptions.cancel_at_period_end(stripe, name, False, task.key)
    else:
        stripe_subscriptions.cancel_at_period_end(stripe, name, task.kind == "cancel", task.key)
    return subscription_mirror.ask(name)


def record_done(task: Task, word: Word | None, now: datetime) -> None:
    """Stripe has done it: close the order and record how things stand."""
    # The subscription's row first, as everybody locks them.
    subscriptions.locked(task.subscription_id)
    order = _locked(task.order_id)
    if order.state == "created":
        order.state, order.done_at = "done", now
    if word is not None:
        cause = CAUSES[task.kind] + (f": {order.reason}" if order.reason else "")
        subscription_mirror.mirror(task.subscription_id, word, now, cause=cause, actor_id=order.actor_id)


def record_refusal(task: Task, now: datetime, words: str = "") -> None:
    """Stripe refused for good: nothing was done."""
    subscriptions.locked(task.subscription_id)
    order = _locked(task.order_id)
    if order.state == "created":
        order.state, order.done_at, order.failure = "failed", now, words or REFUSED[task.kind]


def claim_due(now: datetime) -> Task | None:
    """Take one order whose outcome is not known; None where there is none. It comes back by itself."""
    while True:
        found = db.session.scalars(
            select(SubscriptionOrder)
            .where(SubscriptionOrder.state == "created", SubscriptionOrder.next_check_at <= now)
            .order_by(SubscriptionOrder.next_check_at)
            .limit(1)
        ).one_or_none()
        if found is None:
            return None
        row, order = subscriptions.locked(found.subscription_id), _locked(found.id)
        if order.state != "created" or order.next_check_at > now:
            continue
        if now - order.created_at > RESUMED_FOR:
            order.state, order.done_at, order.failure = "failed", now, GIVEN_UP
            db.session.flush()
            continue
        order.next_check_at = now + min(max(now - order.created_at, AGAIN), MOST_WAIT)
        return _task(row, order)


def hasten(about: str) -> None:
    """Have a worker run the sweep right away; ``about`` names what for, so that the same is asked for once."""
    gateways.current().queue.enqueue("payments", JOB, job_id=f"{JOB}-{about}")


def due_count(now: datetime) -> int:
    """How many are due."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(SubscriptionOrder)
            .where(SubscriptionOrder.state == "created", SubscriptionOrder.next_check_at <= now)
        )
        or 0
    )


def _locked(order_id: int) -> SubscriptionOrder:
    return db.session.scalars(
        select(SubscriptionOrder)
        .where(SubscriptionOrder.id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
