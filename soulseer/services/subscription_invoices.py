"""Invoices of subscriptions as Stripe has them, and the money that they brought: booked once, whatever speaks of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import CURRENCY, from_cents
from soulseer.domain.transfers import TransferKind
from soulseer.gateways.stripe_subscriptions import StripeInvoice
from soulseer.models.subscriptions import INVOICE_MOVES, Plan, Subscription, SubscriptionInvoice
from soulseer.services import audit, comparing, ledger, plans, subscription_mails

# What a whole period is billed by.
WHOLE = ("subscription_create", "subscription_cycle")


def key_of(stripe_invoice_id: str) -> str:
    """The ledger's name of what an invoice brought."""
    return f"subscription:invoice:{stripe_invoice_id}"


def record(row: Subscription, plan: Plan, customer_id: str, said: StripeInvoice, now: datetime) -> str:
    """Bring the invoice to what Stripe says; the subscription's row is locked. What does not fit comes back in words.

    Such an invoice raises an alert; it is not booked and not called paid.
    """
    wrong = _disagreement(row, plan, customer_id, said)
    if wrong:
        ledger.raise_alert(
            "subscription_invoice_mismatch",
            f"Subscription {row.id}, invoice {said.id}: {wrong}",
            now,
            reference=said.id,
        )
        return f"invoice {said.id}: {wrong}"
    kept = db.session.scalars(
        select(SubscriptionInvoice).where(SubscriptionInvoice.stripe_invoice_id == said.id)
    ).one_or_none()
    if kept is not None and kept.state != said.status and (kept.state, said.status) not in INVOICE_MOVES:
        # An answer that was asked for before the one that is kept.
        return ""
    fresh = kept is None or kept.state != said.status
    paid = from_cents(said.amount_paid_cents)
    transaction_id = kept.transaction_id if kept is not None else None
    if said.status == "paid" and paid > 0 and transaction_id is None:
        transaction_id = _book(row, said, paid, now)
    values = {
        "state": said.status,
        "number": said.number,
        "billing_reason": said.billing_reason,
        "total": from_cents(said.total_cents),
        "amount_due": from_cents(said.amount_due_cents),
        "amount_paid": paid,
        "hosted_url": said.hosted_url,
        "stripe_payment_intent_id": said.payment_intent_id,
        "paid_at": said.paid_at,
        "transaction_id": transaction_id,
    }
    if kept is None:
        kept = SubscriptionInvoice(
            subscription_id=row.id,
            stripe_invoice_id=said.id,
            currency=said.currency,
            issued_at=said.issued_at,
            **values,
        )
        db.session.add(kept)
    else:
        for name, value in values.items():
            setattr(kept, name, value)
    db.session.flush()
    if fresh and said.status == "paid" and paid > 0:
        subscription_mails.receipt(row, plan, kept, now)
    return ""


def _book(row: Subscription, said: StripeInvoice, amount: Decimal, now: datetime) -> int:
    transaction_id, _ = ledger.post(
        TransferKind.SUBSCRIPTION,
        key_of(said.id),
        [
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), -amount),
            ledger.Posting(ledger.account_id(AccountKind.PLATFORM_REVENUE), amount),
        ],
        now,
        stripe_reference=said.payment_intent_id,
        memo=f"Invoice {said.number or said.id} of subscription {row.id}",
    )
    audit.record(
        "subscription.invoice_booked",
        "subscription",
        row.id,
        now,
        details={"amount": f"{amount:.2f}", "currency": CURRENCY, "invoice": said.id},
    )
    return transaction_id


def _disagreement(row: Subscription, plan: Plan, customer_id: str, said: StripeInvoice) -> str:
    expected: dict[str, tuple[Any, Any]] = {
        "subscription": (row.stripe_subscription_id, said.subscription_id),
        "customer": (customer_id, said.customer_id),
        "currency": (CURRENCY, said.currency),
        "livemode": (gateways.current().stripe.livemode, said.livemode),
    }
    if said.status == "paid" and said.amount_paid_cents:
        expected["payments"] = (said.amount_paid_cents, said.payments_cents)
        expected["payment intent"] = (True, said.payment_intent_id is not None)
    wrong = comparing.differing(expected)
    # A whole period costs what some plan of this audience costs or did; a trial nothing.
    if said.billing_reason in WHOLE and said.total_cents:
        known = plans.known_amounts(plan.audience)
        if from_cents(said.total_cents) not in known:
            wrong.append(f"total: {from_cents(said.total_cents)} is no price of a plan")
    return "; ".join(wrong)
