"""An automatic top-up from the balance that fell to the money that came: intent, charge of the saved card, outcome."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.elements import ColumnElement

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.money import CURRENCY, to_cents
from soulseer.domain.months import month_of
from soulseer.gateways.stripe_payments import (
    PaymentIntent,
    SavedCardOrder,
    charge_saved_card,
    retrieve_payment,
)
from soulseer.models.auto_reload import AutoReload
from soulseer.models.disputes import SpendingHold
from soulseer.models.ledger import LedgerAccount
from soulseer.models.payments import StripeCustomer, TopUp
from soulseer.models.people import Person
from soulseer.models.promotions import PromotionalCredit
from soulseer.services import auto_reload, comparing, customers, mail, promotions, top_ups
from soulseer.services.top_ups import Outcome, Payment, Recorded

ORIGIN = "auto_reload"
DECLINED = "Your card was declined."
# Stripe's codes, in words for the card's owner (https://docs.stripe.com/declines/codes).
REFUSALS = {
    "authentication_required": "Your bank wants you to confirm each payment yourself.",
    "insufficient_funds": "There was not enough money on the card.",
    "expired_card": "Your card has expired.",
}
REFUSED = ("requires_payment_method", "requires_action", "requires_confirmation", "canceled")


def due(now: datetime) -> list[int]:
    """The people who can spend less (cash and credit) than what they set, and whose card may be charged now."""
    return list(
        db.session.scalars(
            select(AutoReload.person_id).where(*_due(now)).order_by(AutoReload.person_id), {"now": now}
        )
    )


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions; ``now`` is a parameter of their statement as well (promotions.total_of)."""
    # What can be spent, as the wallet shows it: credit is spent before cash, so while there is some nothing runs low.
    credit = promotions.total_of(PromotionalCredit.wallet_id == AutoReload.account_id)
    wallet = select(LedgerAccount.id).where(
        LedgerAccount.id == AutoReload.account_id, LedgerAccount.balance + credit < AutoReload.threshold
    )
    card = select(StripeCustomer.person_id).where(
        StripeCustomer.person_id == AutoReload.person_id, StripeCustomer.payment_method_id.is_not(None)
    )
    under_way = select(TopUp.id).where(
        TopUp.person_id == AutoReload.person_id, TopUp.origin == ORIGIN, TopUp.state.in_(("created", "open"))
    )
    held = select(SpendingHold.id).where(
        SpendingHold.person_id == AutoReload.person_id, SpendingHold.lifted_at.is_(None)
    )
    suspended = select(Person.id).where(Person.id == AutoReload.person_id, Person.suspended_at.is_not(None))
    return (
        AutoReload.enabled.is_(True),
        AutoReload.next_try_at.is_(None) | (AutoReload.next_try_at <= now),
        exists(wallet),
        exists(card),
        ~exists(under_way),
        ~exists(held),
        ~exists(suspended),
    )


def begin(person_id: int, now: datetime) -> TopUp | None:
    """Record that the person's card is to be charged; None where it is not to be (any more).

    The month's limit is judged under the lock of the person's settings, in the transaction that records the intent.
    """
    settings = db.session.scalars(
        select(AutoReload)
        .where(AutoReload.person_id == person_id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    # Looked at again under the lock: another worker may have been quicker, and the money in the wallet already.
    if (
        settings is None
        or db.session.scalar(
            select(AutoReload.person_id).where(AutoReload.person_id == person_id, *_due(now)), {"now": now}
        )
        is None
    ):
        return None
    begins, ends = month_of(now, auto_reload.time_zone_of(person_id))
    used = auto_reload.used_since(person_id, begins)
    if used + settings.amount > settings.monthly_cap:
        settings.next_try_at = ends
        values = {"cap": str(settings.monthly_cap), "used": str(used), "until": ends.isoformat()}
        mail.queue(
            person_id, "auto_reload_cap", values, now, key=f"auto_reload_cap:{person_id}:{ends.isoformat()}"
        )
        return None
    card = db.session.get_one(StripeCustomer, person_id)
    made: TopUp | None = db.session.scalars(
        upsert(TopUp)
        .values(
            person_id=person_id,
            account_id=settings.account_id,
            amount=settings.amount,
            currency=CURRENCY,
            state="created",
            origin=ORIGIN,
            payment_method_id=card.payment_method_id,
            created_at=now,
            next_check_at=now + top_ups.FIRST_CHECK,
        )
        .on_conflict_do_nothing(
            index_elements=["person_id"],
            index_where=(TopUp.origin == ORIGIN) & TopUp.state.in_(("created", "open")),
        )
        .returning(TopUp)
    ).one_or_none()
    return made


def claim_due(now: datetime) -> TopUp | None:
    """Take one automatic top-up whose outcome is due to be asked for; None where there is none. It comes back later by
    itself. One that Stripe was never heard of in time is given up: should it have been paid, its event says so."""
    while True:
        top_up: TopUp | None = db.session.scalars(
            select(TopUp)
            .where(TopUp.state.in_(("created", "open")), TopUp.next_check_at <= now, TopUp.origin == ORIGIN)
            .order_by(TopUp.next_check_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if top_up is None:
            return None
        if top_up.stripe_payment_intent_id is None and now - top_up.created_at > top_ups.RESUMED_FOR:
            # No other one may follow, since this one may have been paid all the same: a person looks.
            words = f"Top-up {top_up.id}: no answer about the charge of the saved card"
            top_ups.alert("auto_reload_unanswered", top_up.id, words, now)
            refuse(top_up, "The payment service could not be reached in time.", now, at_once=True)
            db.session.flush()
            continue
        top_up.next_check_at = top_ups.next_check(top_up, now)
        return top_up


def ask_stripe(top_up: TopUp) -> PaymentIntent:
    """The payment as Stripe has it now, made first if that was not done yet. Call it outside any transaction.

    Raises StripeUnavailable (may be repeated: same idempotency key), StripeRefused.
    """
    stripe = gateways.current().stripe
    if top_up.stripe_payment_intent_id is not None:
        return retrieve_payment(stripe, top_up.stripe_payment_intent_id)
    person_id, began, name = top_up.person_id, top_up.created_at, top_ups.reference(top_up)
    order = SavedCardOrder(
        amount_cents=to_cents(top_up.amount),
        currency=top_up.currency,
        customer="",
        payment_method_id=top_up.payment_method_id or "",
        description="SoulSeer wallet, automatic top-up",
        metadata=metadata(top_up),
    )
    # Last, since it opens transactions of its own, after which the row would have to be read again.
    return charge_saved_card(stripe, replace(order, customer=customers.ensure(person_id, began)), name)


def metadata(top_up: TopUp) -> dict[str, str]:
    return {
        "top_up_id": str(top_up.id),
        "person_id": str(top_up.person_id),
        "reference": top_ups.reference(top_up),
        "origin": ORIGIN,
    }


def disagreement(top_up: TopUp, intent: PaymentIntent) -> str | None:
    """How Stripe's payment differs from what was recorded before it was asked; None where they agree."""
    expected = {
        "id": (top_up.stripe_payment_intent_id or intent.id, intent.id),
        "amount": (to_cents(top_up.amount), intent.amount_cents),
        "currency": (top_up.currency, intent.currency),
        "livemode": (gateways.current().stripe.livemode, intent.livemode),
        **{
            f"metadata.{name}": (value, intent.metadata.get(name)) for name, value in metadata(top_up).items()
        },
    }
    return "; ".join(comparing.differing(expected)) or None


def record(top_up_id: int, intent: PaymentIntent, now: datetime) -> Recorded:
    """Bring the top-up to what Stripe says of its payment; credit it if it succeeded, once.

    ``intent`` comes from Stripe itself, never from an event. What disagrees is never credited: it raises a ledger alert.
    """
    top_up = top_ups.locked(top_up_id)
    wrong = disagreement(top_up, intent)
    if wrong is not None:
        top_ups.alert("top_up_mismatch", top_up.id, f"Top-up {top_up.id}, {intent.id}: {wrong}", now)
        return Recorded(Outcome.MISMATCH, wrong)
    if top_up.state == "paid":
        return Recorded(Outcome.ALREADY_CREDITED)
    top_up.stripe_payment_intent_id = intent.id
    if intent.status == "succeeded":
        recorded = top_ups.credit(
            top_up, Payment(f"auto:{intent.id}", intent.id, intent.charge_id, intent.card), now
        )
        settings = _settings(top_up.person_id)
        settings.failures, settings.next_try_at = 0, None
        return recorded
    if intent.status in REFUSED:
        return refuse(top_up, REFUSALS.get(intent.refusal or "", DECLINED), now)
    if top_up.state == "created":
        top_up.state, top_up.processing_since = "open", now
    return Recorded(Outcome.WAITING, intent.status)


def record_refusal(top_up_id: int, now: datetime) -> Recorded:
    """Stripe knows no such card or customer (any more), so that nothing could be charged."""
    return refuse(top_ups.locked(top_up_id), "Your card is not kept by the payment service any more.", now)


def refuse(top_up: TopUp, words: str, now: datetime, *, at_once: bool = False) -> Recorded:
    """The card was not charged. Its owner is told; after too many refusals in a row, or ``at_once``, it is switched off."""
    if top_up.state not in ("created", "open"):
        return Recorded(Outcome.FAILED, words)
    top_ups.close_failed(top_up, words, now)
    settings, limits = _settings(top_up.person_id), policies.current().auto_reload
    settings.failures += 1
    values = {"amount": str(top_up.amount), "why": words}
    if not settings.enabled:
        return Recorded(Outcome.FAILED, words)
    if at_once or settings.failures >= limits.most_failures:
        auto_reload.switch_off(top_up.person_id, now, reason="refused")
        mail.queue(top_up.person_id, "auto_reload_off", values, now, key=f"auto_reload_off:{top_up.id}")
        return Recorded(Outcome.FAILED, words)
    settings.next_try_at = now + limits.retry_after
    values["next_try_at"] = settings.next_try_at.isoformat()
    mail.queue(top_up.person_id, "auto_reload_failed", values, now, key=f"auto_reload_failed:{top_up.id}")
    return Recorded(Outcome.FAILED, words)


def _settings(person_id: int) -> AutoReload:
    return db.session.get_one(AutoReload, person_id, with_for_update=True, populate_existing=True)
