"""Plans: what one may subscribe to, and the price rows that subscriptions name."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.errors import InvalidInput
from soulseer.domain.money import CURRENCY
from soulseer.models.subscriptions import Plan, PlanPrice

INTERVALS = ("month", "year")


@dataclass(frozen=True)
class Sample:
    """A plan of the sandbox's. Dollars."""

    code: str
    name: str
    audience: str
    monthly: Decimal
    yearly: Decimal
    trial_days: int
    features: str


SAME = "Ranking, share and fees are the same on every plan"
SAMPLES = (
    Sample("free", "Free", "reader", Decimal("0.00"), Decimal("0.00"), 0,
           "A profile that clients find\nReadings by text, voice and video\nYour full share of every minute"),
    Sample("starter", "Starter", "reader", Decimal("29.00"), Decimal("290.00"), 14,
           f"Everything in Free\nThe Starter badge on your membership page\n{SAME}"),
    Sample("professional", "Professional", "reader", Decimal("99.00"), Decimal("990.00"), 14,
           f"Everything in Free\nThe Professional badge on your membership page\n{SAME}"),
    Sample("enterprise", "Enterprise", "reader", Decimal("499.00"), Decimal("4990.00"), 0,
           f"Everything in Free\nThe Enterprise badge on your membership page\n{SAME}"),
    Sample("premium", "Premium", "client", Decimal("9.99"), Decimal("99.00"), 7,
           "The Premium badge on your membership page\nSupports SoulSeer; the price of readings is the same for everybody"),
)  # fmt: skip


def seed(now: datetime) -> int:
    """Add the sandbox's plans that are missing; what exists stays as it is. How many were new."""
    made = db.session.scalars(
        upsert(Plan)
        .values(
            [
                {
                    "code": sample.code,
                    "name": sample.name,
                    "audience": sample.audience,
                    "monthly_price": sample.monthly,
                    "yearly_price": sample.yearly,
                    "trial_days": sample.trial_days,
                    "features": sample.features,
                    "position": place,
                    "active": True,
                    "created_at": now,
                }
                for place, sample in enumerate(SAMPLES)
            ]
        )
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(Plan.id)
    )
    return len(made.all())


def offered(audiences: Iterable[str]) -> list[Plan]:
    """The plans that people of these audiences may choose, cheapest first within each."""
    return list(
        db.session.scalars(
            select(Plan)
            .where(Plan.active, Plan.audience.in_(list(audiences)))
            .order_by(Plan.audience, Plan.position, Plan.id)
        )
    )


def chosen(code: str, interval: str, audiences: Iterable[str]) -> Plan:
    """The plan that somebody of these audiences chose to pay for. Raises InvalidInput (``plan``, ``interval``)."""
    if interval not in INTERVALS:
        raise InvalidInput("interval", "Choose a month or a year.")
    plan = db.session.scalars(select(Plan).where(Plan.code == code, Plan.active)).one_or_none()
    if plan is None or plan.audience not in set(audiences):
        raise InvalidInput("plan", "This plan is not offered to you.")
    if plan.free:
        raise InvalidInput("plan", "This plan costs nothing: you have it without subscribing.")
    return plan


def price_row(plan: Plan, interval: str, now: datetime) -> PlanPrice:
    """The row of what the plan costs now for ``interval``, made if need be; a former price no longer counts.

    Whoever has a former price keeps it. A price that comes back is the same row again.
    """
    amount = plan.price(interval)
    # The plan's row, so that two callers do not switch the prices against each other.
    db.session.execute(select(Plan.id).where(Plan.id == plan.id).with_for_update())
    db.session.execute(
        update(PlanPrice)
        .where(PlanPrice.plan_id == plan.id, PlanPrice.interval == interval, PlanPrice.active)
        .where(PlanPrice.amount != amount)
        .values(active=False)
    )
    return db.session.scalars(
        upsert(PlanPrice)
        .values(
            plan_id=plan.id, interval=interval, amount=amount, currency=CURRENCY, active=True, created_at=now
        )
        .on_conflict_do_update(
            index_elements=["plan_id", "interval", "amount", "currency"], set_={"active": True}
        )
        .returning(PlanPrice),
        execution_options={"populate_existing": True},
    ).one()


def price_at_stripe(stripe_price_id: str) -> tuple[PlanPrice, Plan] | None:
    """Our row of a price of Stripe's, and its plan; None where it is none of ours."""
    row = db.session.execute(
        select(PlanPrice, Plan)
        .join(Plan, Plan.id == PlanPrice.plan_id)
        .where(PlanPrice.stripe_price_id == stripe_price_id)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def known_amounts(audience: str) -> set[Decimal]:
    """Every price that a plan for ``audience`` has or had, in dollars."""
    query = select(PlanPrice.amount).join(Plan, Plan.id == PlanPrice.plan_id).where(Plan.audience == audience)
    return set(db.session.scalars(query))
