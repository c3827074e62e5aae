"""Refunds that were made at Stripe and not here: their money is gone, so they are booked as what they are.

Of a top-up out of the wallet as far as that goes, the rest is owed by the client; of a subscription's invoice out of the
platform's revenue.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.money import from_cents
from soulseer.domain.refunds import Destination, Origin
from soulseer.gateways.stripe_refunds import StripeRefund
from soulseer.models.payments import TopUp
from soulseer.models.refunds import Refund
from soulseer.services import (
    holds,
    ledger,
    refund_plans,
    refund_sending,
    refunds,
    subscription_returns,
)
from soulseer.services.refund_plans import Entry, Plan
from soulseer.services.refund_sending import OVER, Outcome
from soulseer.services.reversals import INVOICE, TOP_UP, Source


def record(word: StripeRefund, now: datetime) -> Outcome:
    """Bring our refund to what Stripe says of it (``refund_sending.record``); adopt one that is not ours.

    EARLY where its payment is not in the books, or has too little left: one of ours that Stripe will refuse for it may
    still stand in its place.
    """
    outcome = refund_sending.record(word, now)
    return _adopt(word, now) if outcome is Outcome.FOREIGN else outcome


def _adopt(word: StripeRefund, now: datetime) -> Outcome:
    source = _source(word)
    if source is None:
        return Outcome.EARLY
    if word.status in OVER:
        # It went and came back before anybody told us: nothing to book.
        return Outcome.UNCHANGED
    payment = refunds.lock_payment(source)
    if refund_sending.ours(word) is not None:
        return refund_sending.record(word, now)
    amount = from_cents(word.amount_cents)
    if word.currency != payment.currency:
        text = f"{word.id} gives {amount} {word.currency} of {source} in {payment.currency}"
        ledger.raise_alert("refund_mismatch", text, now, reference=word.id)
        return Outcome.MISMATCH
    if amount > refund_plans.refundable(payment):
        return Outcome.EARLY
    plan = (
        _of_top_up(payment, amount, now) if isinstance(payment, TopUp) else refund_plans.plan(source, amount)
    )
    refund = Refund(
        person_id=plan.person_id,
        destination=Destination.CARD.value,
        origin=Origin.STRIPE.value,
        needs_approval=False,
        reason="Made in Stripe’s dashboard",
        stripe_refund_id=word.id,
        **refunds.described(plan, now),
    )
    db.session.add(refund)
    db.session.flush()
    refunds.book(refund, plan, now, actor_id=None)
    if any(entry.account is A.CLIENT_RECEIVABLE for entry in plan.entries):
        holds.review(plan.person_id, now)
    text = f"Refund {refund.id}: {amount} of {source} was given back in Stripe’s dashboard ({word.id})."
    ledger.raise_alert("refund_adopted", text, now, reference=f"refund:{refund.id}")
    return refund_sending.move_on(refund, payment, word, now)


def _source(word: StripeRefund) -> Source | None:
    """What it gives back of; None where nothing in the books was paid by its payment."""
    if word.payment_intent_id is None:
        return None
    top_up_id = db.session.scalar(
        select(TopUp.id).where(
            TopUp.stripe_payment_intent_id == word.payment_intent_id, TopUp.state == "paid"
        )
    )
    if top_up_id is not None:
        return Source(TOP_UP, top_up_id)
    invoice_id = subscription_returns.invoice_paid_by(word.payment_intent_id)
    return None if invoice_id is None else Source(INVOICE, invoice_id)


def _of_top_up(top_up: TopUp, amount: Decimal, now: datetime) -> Plan:
    """Out of the wallet as far as it goes, the rest owed; the wallet and what is owed are locked from here on."""
    holds.lock_debt(top_up.person_id, now)
    cash = min(amount, ledger.balance(A.CLIENT_WALLET, top_up.person_id))
    rows = (
        (A.CLIENT_WALLET, top_up.person_id, -cash),
        (A.CLIENT_RECEIVABLE, top_up.person_id, cash - amount),
        (A.STRIPE_CLEARING, None, amount),
    )
    return Plan(
        Source(TOP_UP, top_up.id),
        Destination.CARD,
        top_up.person_id,
        amount,
        tuple(Entry(kind, owner, part) for kind, owner, part in rows if part),
        top_up.refunded_amount,
        refund_plans.refundable(top_up),
    )
