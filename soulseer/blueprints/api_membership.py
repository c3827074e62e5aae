"""GET /api/membership/: the caller's plans, and what is offered."""

from typing import Literal

from flask import Blueprint

from soulseer.blueprints.api_support import api_route
from soulseer.blueprints.api_types import ApiModel, Instant, Money
from soulseer.blueprints.membership import audiences_of
from soulseer.domain.money import CURRENCY
from soulseer.models.subscriptions import ENTITLED
from soulseer.services import plans, subscriptions
from soulseer.services.people import SignedIn

blueprint = Blueprint("api_membership", __name__, url_prefix="/api/membership")

Audience = Literal["reader", "client"]


class OfferedPlan(ApiModel):
    code: str
    name: str
    audience: Audience
    monthly_price: Money
    yearly_price: Money
    currency: str
    trial_days: int
    features: list[str]


class OwnSubscription(ApiModel):
    """``entitled``: whether the plan's benefits are there now (also in the days after a failed payment)."""

    id: int
    plan: str
    audience: Audience
    state: str
    entitled: bool
    price: Money
    currency: str
    interval: str
    current_period_end: Instant | None
    trial_end: Instant | None
    grace_until: Instant | None
    cancel_at_period_end: bool


class Membership(ApiModel):
    subscriptions: list[OwnSubscription]
    plans: list[OfferedPlan]


@blueprint.get("/")
@api_route("The caller's plans", answer=Membership)
def show(person: SignedIn) -> Membership:
    """At most one subscription per audience; without one a reader has the free plan."""
    return Membership(
        subscriptions=[
            OwnSubscription(
                id=one.subscription.id,
                plan=one.plan.code,
                audience=one.subscription.audience,  # type: ignore[arg-type]
                state=one.subscription.state,
                entitled=one.subscription.state in ENTITLED,
                price=one.price.amount,
                currency=one.price.currency,
                interval=one.price.interval,
                current_period_end=one.subscription.current_period_end,
                trial_end=one.subscription.trial_end,
                grace_until=one.subscription.grace_until,
                cancel_at_period_end=one.subscription.cancel_at_period_end,
            )
            for one in subscriptions.standings(person.id)
        ],
        plans=[
            OfferedPlan(
                code=plan.code,
                name=plan.name,
                audience=plan.audience,  # type: ignore[arg-type]
                monthly_price=plan.monthly_price,
                yearly_price=plan.yearly_price,
                currency=CURRENCY,
                trial_days=plan.trial_days,
                features=plan.features.splitlines(),
            )
            for plan in plans.offered(audiences_of(person))
        ],
    )
