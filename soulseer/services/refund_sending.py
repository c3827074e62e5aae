"""Refunds to the card: Stripe is asked under the row's own key, and what it says is recorded, once, in whatever order.

What Stripe refuses, or a bank sends back later, returns to the wallet. A refund that somebody made in Stripe's own
dashboard has left Stripe already: it is adopted, from the wallet as far as that goes, the rest owed by the client.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.money import from_cents, to_cents
from soulseer.domain.refunds import BOOKED, Destination, Origin, RefundState
from soulseer.domain.transfers import TransferKind
from soulseer.gateways import stripe_refunds
from soulseer.gateways.stripe import StripeRefused
from soulseer.gateways.stripe_refunds import UNDECIDED, StripeRefund
from soulseer.models.payments import TopUp
from soulseer.models.refunds import Refund
from soulseer.services import comparing, holds, ledger, refund_plans, refunds, subscription_invoices
from soulseer.services.refund_plans import Entry, Plan
from soulseer.services.reversals import NOTHING, TOP_UP, Source

LEAST_WAIT, MOST_WAIT = timedelta(minutes=2), timedelta(hours=6)
# Stripe keeps idempotency keys for at least 24 hours: past them its list is asked first.
KEY_HOLDS = timedelta(hours=20)
METADATA = "soulseer_refund"
SENDABLE = (RefundState.APPROVED.value, RefundState.SENT.value)
REFUSED = "The payment service did not take this refund. The money is in your wallet again."
CAME_BACK = "Your bank sent the money back: the card may be closed. It is in your wallet again."


class Outcome(StrEnum):
    """What recording Stripe's word came to."""

    SENT = "sent"
    SETTLED = "settled"
    FAILED = "failed"
    UNCHANGED = "unchanged"
    MISMATCH = "mismatch"
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
        refund.next_check_at = now + min(max(now - refund.requested_at, LEAST_WAIT), MOST_WAIT)
    return refund


def payment_of(refund: Refund) -> str:
    """The payment intent that a refund to the card gives back of."""
    intent: str | None = db.session.scalar(
        select(TopUp.stripe_payment_intent_id).where(TopUp.id == refund.top_up_id)
    )
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
    """Bring our refund to what Stripe says of it; adopt one that is not ours.

    ``word`` comes from Stripe itself, never from an event. What disagrees raises an alert and changes nothing.
    """
    refund_id = _ours(word)
    if refund_id is None:
        return _adopt(word, now)
    top_up = _locked_top_up_of(refund_id)
    refund = refunds.locked(refund_id)
    wrong = _disagreement(refund, top_up, word)
    if wrong is not None:
        text = f"Refund {refund.id}, {word.id}: {wrong}"
        ledger.raise_alert("refund_mismatch", text, now, reference=f"refund:{refund.id}")
        return Outcome.MISMATCH
    refund.stripe_refund_id = word.id
    return _move_on(refund, top_up, word, now)


def _ours(word: StripeRefund) -> int | None:
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


def _locked_top_up_of(refund_id: int) -> TopUp:
    top_up_id = refunds.found(refund_id).top_up_id
    if top_up_id is None:
        raise LookupError(f"refund {refund_id} is not of a top-up")
    return refunds.lock_top_up(top_up_id)


def _disagreement(refund: Refund, top_up: TopUp, word: StripeRefund) -> str | None:
    expected = {
        "id": (refund.stripe_refund_id or word.id, word.id),
        "amount": (to_cents(refund.amount), word.amount_cents),
        "currency": (refund.currency, word.currency),
        "payment": (top_up.stripe_payment_intent_id, word.payment_intent_id),
    }
    if RefundState(refund.state) not in BOOKED:
        expected["state"] = ("booked", refund.state)
    return "; ".join(comparing.differing(expected)) or None


def _move_on(refund: Refund, top_up: TopUp, word: StripeRefund, now: datetime) -> Outcome:
    state = RefundState(refund.state)
    if state is RefundState.FAILED:
        # It came back: whatever is said of it later, the money went to the wallet once.
        return Outcome.UNCHANGED
    if word.status in ("failed", "canceled"):
        _fail(refund, top_up, CAME_BACK, word.failure_reason or word.status, now)
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
    """Stripe refused for good and has made none: the money goes back to the wallet. Nothing where that is over."""
    top_up = _locked_top_up_of(refund_id)
    refund = refunds.locked(refund_id)
    if refund.state != RefundState.APPROVED.value or refund.stripe_refund_id is not None:
        text = (
            f"Refund {refund.id} is {refund.state} here, and Stripe does not know {refund.stripe_refund_id}"
        )
        ledger.raise_alert("refund_unknown_at_stripe", text, now, reference=f"refund:{refund.id}")
        refund.next_check_at = None
        return Outcome.MISMATCH
    _fail(refund, top_up, REFUSED, "refused", now)
    return Outcome.FAILED


def _fail(refund: Refund, top_up: TopUp, words: str, why: str, now: datetime) -> None:
    """Give the money back to whom it was taken from: the wallet; what was owed for it is owed no longer."""
    wallet, receivable = holds.lock_debt(refund.person_id, now)
    was_owed = sum(
        (-Decimal(row["amount"]) for row in refund.plan if row["account"] == A.CLIENT_RECEIVABLE.value),
        NOTHING,
    )
    to_debt = min(was_owed, holds.owed(refund.person_id))
    parts = ((wallet, refund.amount - to_debt), (receivable, to_debt))
    refund.returned_transaction_id, _ = ledger.post(
        TransferKind.REFUND_FAILED,
        f"refund:{refund.id}:failed",
        [
            ledger.Posting(ledger.account_id(A.STRIPE_CLEARING), -refund.amount),
            *(ledger.Posting(account, part) for account, part in parts if part > 0),
        ],
        now,
        stripe_reference=top_up.stripe_payment_intent_id,
        reverses_id=refund.transaction_id,
        memo=f"Refund {refund.id} came back: {why}"[:200],
    )
    top_up.refunded_amount -= refund.amount
    refund.state, refund.failed_at, refund.failure = RefundState.FAILED.value, now, words
    refund.next_check_at = None
    holds.pay_debt(refund.person_id, now)
    holds.review(refund.person_id, now)
    refunds.record(refund, "refund.failed", now, reason=why)
    refunds.tell(refund, now)


def _adopt(word: StripeRefund, now: datetime) -> Outcome:
    """Book a refund that was made at Stripe and not here."""
    found = db.session.scalar(
        select(TopUp.id).where(
            TopUp.stripe_payment_intent_id == word.payment_intent_id, TopUp.state == "paid"
        )
    )
    if found is None and word.payment_intent_id is not None:
        booked = subscription_invoices.paid_by(word.payment_intent_id)
        if booked is not None:
            # Not ours to book without somebody who looks: reconciliation proposes the entry.
            text = f"{word.id}: {from_cents(word.amount_cents)} of a subscription's invoice (transaction {booked}) was given back in Stripe’s dashboard"
            ledger.raise_alert("subscription_refund", text, now, reference=word.id)
            return Outcome.MISMATCH
    if found is None or word.payment_intent_id is None:
        return Outcome.EARLY
    if word.status in ("failed", "canceled"):
        # It went and came back before anybody told us: nothing to book.
        return Outcome.UNCHANGED
    top_up = refunds.lock_top_up(found)
    if _ours(word) is not None:
        return record(word, now)
    amount = from_cents(word.amount_cents)
    if word.currency != top_up.currency:
        text = f"{word.id} gives {amount} {word.currency} of top-up {top_up.id} in {top_up.currency}"
        ledger.raise_alert("refund_mismatch", text, now, reference=word.id)
        return Outcome.MISMATCH
    if amount > refund_plans.refundable(top_up):
        # One of ours that Stripe will refuse for it may still stand in its place.
        return Outcome.EARLY
    refund = _adopted(top_up, word, amount, now)
    text = f"Refund {refund.id}: {amount} of top-up {top_up.id} was given back in Stripe’s dashboard ({word.id})."
    ledger.raise_alert("refund_adopted", text, now, reference=f"refund:{refund.id}")
    return _move_on(refund, top_up, word, now)


def _adopted(top_up: TopUp, word: StripeRefund, amount: Decimal, now: datetime) -> Refund:
    holds.lock_debt(top_up.person_id, now)
    cash = min(amount, ledger.balance(A.CLIENT_WALLET, top_up.person_id))
    rows = (
        (A.CLIENT_WALLET, top_up.person_id, -cash),
        (A.CLIENT_RECEIVABLE, top_up.person_id, cash - amount),
        (A.STRIPE_CLEARING, None, amount),
    )
    plan = Plan(
        Source(TOP_UP, top_up.id),
        Destination.CARD,
        top_up.person_id,
        amount,
        tuple(Entry(kind, owner, part) for kind, owner, part in rows if part),
        top_up.refunded_amount,
        refund_plans.refundable(top_up),
    )
    refund = Refund(
        person_id=top_up.person_id,
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
    if cash < amount:
        holds.review(top_up.person_id, now)
    return refund


def due(now: datetime) -> list[int]:
    """The ids of the refunds about which Stripe is due to be asked, oldest first."""
    query = select(Refund.id).where(Refund.state.in_(SENDABLE), Refund.next_check_at <= now)
    return list(db.session.scalars(query.order_by(Refund.next_check_at)))
