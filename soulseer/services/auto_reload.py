"""Automatic top-ups as people set them: below a balance add an amount, at most so much a month. Off by default."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import InvalidInput
from soulseer.domain.money import parse_amount
from soulseer.domain.months import month_of
from soulseer.models.auto_reload import AutoReload
from soulseer.models.payments import StripeCustomer, TopUp
from soulseer.models.people import Person
from soulseer.services import audit, customers, top_ups

FIELDS = ("threshold", "amount", "monthly_cap")
# What counts towards a month: all that was taken, or may be.
COUNTED = ("created", "open", "paid")


@dataclass(frozen=True)
class Terms:
    """Dollars: below ``threshold`` add ``amount``, at most ``monthly_cap`` in a calendar month."""

    threshold: Decimal
    amount: Decimal
    monthly_cap: Decimal


@dataclass(frozen=True)
class Overview:
    """What the person's page shows. ``settings`` is None where it was never on, ``card`` None where none is saved;
    ``used`` is what this month's automatic top-ups come to, dollars; ``month_ends`` UTC."""

    settings: AutoReload | None
    card: StripeCustomer | None
    used: Decimal
    month_ends: datetime

    @property
    def enabled(self) -> bool:
        return self.settings is not None and self.settings.enabled


def overview(person_id: int, time_zone: str, now: datetime) -> Overview:
    """The person's settings, saved card and what this month came to."""
    begins, ends = month_of(now, time_zone)
    customer = customers.customer_of(person_id)
    return Overview(
        settings=db.session.get(AutoReload, person_id),
        card=customer if customer is not None and customer.payment_method_id is not None else None,
        used=used_since(person_id, begins),
        month_ends=ends,
    )


def used_since(person_id: int, begins: datetime) -> Decimal:
    """Dollars of automatic top-ups begun since then, but for those that failed."""
    total: Decimal | None = db.session.scalar(
        select(func.sum(TopUp.amount)).where(
            TopUp.person_id == person_id,
            TopUp.origin == "auto_reload",
            TopUp.created_at >= begins,
            TopUp.state.in_(COUNTED),
        )
    )
    return Decimal("0.00") if total is None else total


def typed_terms(typed: dict[str, str]) -> Terms:
    """What a person typed into FIELDS, in dollars. Raises InvalidInput naming the first that is no amount."""
    amounts = {}
    for name in FIELDS:
        try:
            amounts[name] = parse_amount(typed.get(name, ""))
        except ValueError as error:
            raise InvalidInput(name, str(error)) from None
    return Terms(**amounts)


def switch_on(person_id: int, terms: Terms, now: datetime) -> AutoReload:
    """The person agrees that the saved card is charged by these terms from now on; also changes the terms.

    Raises InvalidInput naming the field; ``card`` where none is saved.
    """
    _check(terms)
    customer = db.session.get(StripeCustomer, person_id, with_for_update=True, populate_existing=True)
    if customer is None or customer.payment_method_id is None:
        raise InvalidInput("card", "Save a card first: top up once and tick that it may be kept.")
    values = {
        **vars(terms),
        "enabled": True,
        "enabled_at": now,
        "off_reason": None,
        "failures": 0,
        "next_try_at": None,
        "updated_at": now,
    }
    made: AutoReload = db.session.scalars(
        upsert(AutoReload)
        .values(person_id=person_id, account_id=top_ups.wallet_account(person_id, now), **values)
        .on_conflict_do_update(index_elements=["person_id"], set_=values)
        .returning(AutoReload),
        execution_options={"populate_existing": True},
    ).one()
    details = {name: str(value) for name, value in vars(terms).items()}
    audit.record("auto_reload.on", "person", person_id, now, actor_id=person_id, details=details)
    return made


def _check(terms: Terms) -> None:
    single, limits = policies.current().top_up, policies.current().auto_reload
    if not limits.lowest_threshold <= terms.threshold <= single.maximum:
        raise InvalidInput(
            "threshold", f"Choose a balance from ${limits.lowest_threshold} to ${single.maximum}."
        )
    if not single.minimum <= terms.amount <= single.maximum:
        raise InvalidInput("amount", f"Choose an amount from ${single.minimum} to ${single.maximum}.")
    if terms.amount < terms.threshold:
        raise InvalidInput("amount", "Add at least as much as the balance below which it is added.")
    if not terms.amount <= terms.monthly_cap <= limits.highest_cap:
        raise InvalidInput(
            "monthly_cap",
            f"Choose a limit from the amount itself (${terms.amount}) to ${limits.highest_cap}.",
        )


def switch_off(person_id: int, now: datetime, *, reason: str = "person") -> bool:
    """No more automatic top-ups; one that is under way is finished. Whether it was on. ``reason``: see OFF_REASONS."""
    row = db.session.get(AutoReload, person_id, with_for_update=True, populate_existing=True)
    if row is None or not row.enabled:
        return False
    row.enabled, row.off_reason, row.next_try_at, row.updated_at = False, reason, None, now
    actor = None if reason == "refused" else person_id
    audit.record("auto_reload.off", "person", person_id, now, actor_id=actor, details={"why": reason})
    return True


def remove_card(person_id: int, now: datetime) -> bool:
    """Forget the saved card, and with it automatic top-ups. Whether there was one; Stripe is told by the job."""
    removed = customers.forget_card(person_id, now)
    switch_off(person_id, now, reason="card_removed")
    return removed


def time_zone_of(person_id: int) -> str:
    """The person's IANA zone."""
    return str(db.session.scalar(select(Person.time_zone).where(Person.id == person_id)) or "UTC")


def wake() -> None:
    """Have the job run now rather than at its next turn: for an after-commit hook."""
    gateways.current().queue.enqueue("payments", "auto_reload", job_id=f"auto_reload-woken-{uuid.uuid4()}")
