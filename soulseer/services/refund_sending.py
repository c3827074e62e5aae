"""Refunds to the card: Stripe is asked under the row's own key, and what it says is recorded, once, in whatever order.

What Stripe refuses, or a bank sends back later, returns to the wallet; what was given back of a subscription's invoice,
to the platform. A refund that somebody made in Stripe's own dashboard has left Stripe already: it is adopted
(services/refund_adoption.py).
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.money import to_cents
from soulseer.domain.refunds import BOOKED, RefundState
from soulseer.domain.transfers import TransferKind
from soulseer.gateways import stripe_refunds
from soulseer.gateways.stripe import StripeRefused
from soulseer.gateways.stripe_refunds import UNDECIDED, StripeRefund
from soulseer.models.payments import TopUp
from soulseer.models.refunds import Refund
from soulseer.models.subscriptions import SubscriptionInvoice
from soulseer.services import comparing, holds, ledger, refunds
from soulseer.services.reversals import NOTHING, TO_CARD

Payment = TopUp | SubscriptionInvoice

LEAST_WAIT, MOST_WAIT = timedelta(minutes=2), timedelta(hours=6)
# Stripe keeps idempotency keys for at least 24 hours: past them its list is asked first.
KEY_HOLDS = timedelta(hours=20)
METADATA = "soulseer_refund"
# What of Stripe's states says that the money came back.
OVER = ("failed", "canceled")
SENDABLE = (RefundState.APPROVED.value, RefundState.SENT.value)
REFUSED = "The payment service did not take this refund."
CAME_BACK = "Your bank sent the money back: the card may be closed."
IN_WALLET = " It is in your wallet again."


class Outcome(StrEnum):
    """What recording Stripe's word came to."""

    SENT = "sent"
    SETTLED = "settled"
    FAILED = "failed"
    UNCHANGED = "unchanged"
    MISMATCH = "mismatch"
    # Nobody asked for it here.
    FOREIGN = "foreign"
    # Its payment is not here, or has too little left for it: it may fit later.
    EARLY = "early"


def reference(refund: Refund) -> str:
    """The refund's name at Stripe (metadata and idempotency key), the same at every retry; the instant tells apart the
    databases of one test account."""
    return f"refund:{refund.id}:{int(refund.requested_at.timestamp() * 1_000_000)}"


def claim_due(now: datetime, refund_id: int | None = None) -> Refund | None:
    """Take one refund about which Stripe is due to be asked; None where there is none.

    It comes back by itself (``next_check_at``), so that a crash or a silent Stripe loses nothing.
    """
    query = select(Refund).where(Refund.state.in_(SENDABLE), Refund.next_check_at <= now)
    if refund_id is not None:
        query = query.where(Refund.id == refund_id)
    refund = db.session.scalars(
        query.order_by(Refund.next_check_at)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if refund is not None:
        # Since it was approved, where it waited for that.
        begun = refund.decided_at or refund.requested_at
        refund.next_check_at = now + min(max(now - begun, LEAST_WAIT), MOST_WAIT)
    return refund


def payment_of(refund: Refund) -> str:
    """The payment intent that a refund to the card gives back of."""
    kind: Any = TopUp if refund.subscription_invoice_id is None else SubscriptionInvoice
    number = refund.top_up_id if refund.subscription_invoice_id is None else refund.subscription_invoice_id
    intent: str | None = db.session.scalar(select(kind.stripe_payment_intent_id).where(kind.id == number))
    if intent is None:
        raise LookupError(f"refund {refund.id} has no payment")
    return intent


def ask_stripe(refund: Refund, payment_intent_id: str, now: datetime) -> StripeRefund:
    """The refund as Stripe has it now, made first if that was not done yet. Call it outside any transaction.

    Raises StripeUnavailable (may be repeated: same key), StripeRefused where Stripe made none and will not.
    """
    stripe = gateways.current().stripe
    if refund.stripe_refund_id is not None:
        return stripe_refunds.retrieve(stripe, refund.stripe_refund_id)
    name = reference(refund)
    if now - refund.requested_at > KEY_HOLDS and (made := _made_before(payment_intent_id, name)):
        return made
    try:
        return stripe_refunds.create(
            stripe, payment_intent_id, to_cents(refund.amount), {METADATA: name}, name
        )
    except StripeRefused:
        # Nothing goes back to the wallet that Stripe has given after all.
        if (made := _made_before(payment_intent_id, name)) is not None:
            return made
        raise


def _made_before(payment_intent_id: str, name: str) -> StripeRefund | None:
    listed = stripe_refunds.of_payment(gateways.current().stripe, payment_intent_id)
    return next((made for made in listed if made.metadata.get(METADATA) == name), None)


def record(word: StripeRefund, now: datetime) -> Outcome:
    """Bring our refund to what Stripe says of it; FOREIGN where it is not ours (services/refund_adoption.py).

    ``word`` comes from Stripe itself, never from an event. What disagrees raises an alert and changes nothing.
    """
    refund_id = ours(word)
    if refund_id is None:
        return Outcome.FOREIGN
    payment = _locked_payment_of(refund_id)
    refund = refunds.locked(refund_id)
    wrong = _disagreement(refund, payment, word)
    if wrong is not None:
        text = f"Refund {refund.id}, {word.id}: {wrong}"
        ledger.raise_alert("refund_mismatch", text, now, reference=f"refund:{refund.id}")
        return Outcome.MISMATCH
    refund.stripe_refund_id = word.id
    return move_on(refund, payment, word, now)


def ours(word: StripeRefund) -> int | None:
    """Our refund's id: by Stripe's, or by our own name for it, where a crash came before we recorded that."""
    known = db.session.scalar(select(Refund.id).where(Refund.stripe_refund_id == word.id))
    if known is not None:
        return known
    parts = word.metadata.get(METADATA, "").split(":")
    if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit() and len(parts[1]) < 19):
        return None
    named = db.session.get(Refund, int(parts[1]))
    # Another database of the same test account has numbers of its own.
    return named.id if named is not None and reference(named) == word.metadata[METADATA] else None


def _locked_payment_of(refund_id: int) -> Payment:
    source = refunds.source_of(refunds.found(refund_id))
    if source.kind not in TO_CARD:
        raise LookupError(f"refund {refund_id} is not to a card")
    return refunds.lock_payment(source)


def _disagreement(refund: Refund, payment: Payment, word: StripeRefund) -> str | None:
    expected = {
        "id": (refund.stripe_refund_id or word.id, word.id),
        "amount": (to_cents(refund.amount), word.amount_cents),
        "currency": (refund.currency, word.currency),
        "payment": (payment.stripe_payment_intent_id, word.payment_intent_id),
    }
    if RefundState(refund.state) not in BOOKED:
        expected["state"] = ("booked", refund.state)
    if _was_refused(refund) and word.status not in OVER:
        # The money was put back here, and has left Stripe all the same.
        expected["state"] = (refund.state, word.status)
    return "; ".join(comparing.differing(expected)) or None


def _was_refused(refund: Refund) -> bool:
    """Whether it came back because Stripe had made none, rather than from the payer's bank."""
    return refund.state == RefundState.FAILED.value and refund.stripe_refund_id is None


def move_on(refund: Refund, payment: Payment, word: StripeRefund, now: datetime) -> Outcome:
    """Bring a booked refund, locked with its payment, to what Stripe says of it."""
    state = RefundState(refund.state)
    if state is RefundState.FAILED:
        # It came back: whatever is said of it later, the money went to the wallet once.
        return Outcome.UNCHANGED
    if word.status in OVER:
        _fail(refund, payment, CAME_BACK, word.failure_reason or word.status, now)
        return Outcome.FAILED
    if word.status == "succeeded":
        if state is RefundState.SETTLED:
            return Outcome.UNCHANGED
        refund.state, refund.settled_at, refund.next_check_at = RefundState.SETTLED.value, now, None
        refund.sent_at = refund.sent_at or now
        refunds.record(refund, "refund.settled", now)
        refunds.tell(refund, now)
        return Outcome.SETTLED
    if word.status in UNDECIDED and state is RefundState.APPROVED:
        refund.state, refund.sent_at = RefundState.SENT.value, now
        refunds.record(refund, "refund.sent", now)
        refunds.tell(refund, now)
        return Outcome.SENT
    return Outcome.UNCHANGED


def record_refusal(refund_id: int, now: datetime) -> Outcome:
    """Stripe refused for good and has made none: the money goes back whence it came. Nothing where that is over."""
    payment = _locked_payment_of(refund_id)
    refund = refunds.locked(refund_id)
    if refund.state != RefundState.APPROVED.value or refund.stripe_refund_id is not None:
        text = (
            f"Refund {refund.id} is {refund.state} here, and Stripe does not know {refund.stripe_refund_id}"
        )
        ledger.raise_alert("refund_unknown_at_stripe", text, now, reference=f"refund:{refund.id}")
        refund.next_check_at = None
        return Outcome.MISMATCH
    _fail(refund, payment, REFUSED, "refused", now)
    return Outcome.FAILED


def _fail(refund: Refund, payment: Payment, words: str, why: str, now: datetime) -> None:
    """Give the money back to whom it was taken from: the wallet; what was owed for it is owed no longer. Of an invoice
    the platform has it again, and somebody finds the client another way."""
    if isinstance(payment, TopUp):
        parts = _to_client(refund, now)
        words += IN_WALLET
    else:
        parts = [(ledger.account_id(A.PLATFORM_REVENUE), refund.amount)]
        text = f"Refund {refund.id}: {refund.amount} of {refunds.source_of(refund)} did not reach the card: {why}"
        ledger.raise_alert("refund_came_back", text, now, reference=f"refund:{refund.id}")
    refund.returned_transaction_id, _ = ledger.post(
        TransferKind.REFUND_FAILED,
        f"refund:{refund.id}:failed",
        [
            ledger.Posting(ledger.account_id(A.STRIPE_CLEARING), -refund.amount),
            *(ledger.Posting(account, part) for account, part in parts if part > 0),
        ],
        now,
        stripe_reference=payment.stripe_payment_intent_id,
        reverses_id=refund.transaction_id,
        memo=f"Refund {refund.id} came back: {why}"[:200],
    )
    payment.refunded_amount -= refund.amount
    refund.state, refund.failed_at, refund.failure = RefundState.FAILED.value, now, words
    refund.next_check_at = None
    holds.pay_debt(refund.person_id, now)
    holds.review(refund.person_id, now)
    refunds.record(refund, "refund.failed", now, reason=why)
    refunds.tell(refund, now)


def _to_client(refund: Refund, now: datetime) -> list[tuple[int, Decimal]]:
    """How much of it goes to the wallet, and how much to what was owed for it."""
    wallet, receivable = holds.lock_debt(refund.person_id, now)
    was_owed = sum(
        (-Decimal(row["amount"]) for row in refund.plan if row["account"] == A.CLIENT_RECEIVABLE.value),
        NOTHING,
    )
    to_debt = min(was_owed, holds.owed(refund.person_id))
    return [(wallet, refund.amount - to_debt), (receivable, to_debt)]


def due(now: datetime) -> list[int]:
    """The ids of the refunds about which Stripe is due to be asked, oldest first."""
    query = select(Refund.id).where(Refund.state.in_(SENDABLE), Refund.next_check_at <= now)
    return list(db.session.scalars(query.order_by(Refund.next_check_at)))
