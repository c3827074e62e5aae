"""Disputes: Stripe's word on one is brought to our books, each movement exactly once (docs/money.md, Disputes).

``record`` believes Stripe's own answer about the dispute, never an event. It may come late, twice and in any order:
the state moves only forward, and the two movements (taken back, returned) bear keys made of the dispute's id.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.disputes import CLOSED, HELD, INQUIRIES, OPEN, DisputeState, is_later
from soulseer.domain.money import CURRENCY, from_cents
from soulseer.domain.transfers import TransferKind
from soulseer.gateways.stripe_disputes import StripeDispute
from soulseer.models.disputes import Dispute
from soulseer.models.payments import StripeCustomer, TopUp
from soulseer.models.subscriptions import SubscriptionInvoice
from soulseer.services import audit, frozen_readings, holds, ledger, mail, subscription_returns
from soulseer.services.stripe_events import PROCESSED, Verdict, later, quarantined

NOUGHT = Decimal("0.00")
# What a payer's bank may ask back: money for a wallet, or for a plan.
Payment = TopUp | SubscriptionInvoice


def record(word: StripeDispute, now: datetime) -> Verdict:
    """Bring our books to what Stripe says of a dispute; what became of it. Call it inside a transaction.

    ``later`` where its payment is not credited yet, ``quarantined`` where it is none of ours or does not fit.
    """
    wrong = _unfit(word)
    if wrong is not None:
        return quarantined(wrong)
    found = _payment_of(word)
    if isinstance(found, Verdict):
        return found
    dispute, is_new = _row(word, found, now)
    paid = (dispute.top_up_id, dispute.subscription_invoice_id)
    if paid != _keys(found) or dispute.amount != from_cents(word.amount_cents):
        return quarantined(
            f"{word.id}: recorded over {dispute.amount} of top-up {paid[0]}, of invoice {paid[1]}"
        )
    moved = _move_state(dispute, found, DisputeState(word.status), is_new, now)
    dispute.evidence_due_at = word.evidence_due_at
    dispute.fee = max(dispute.fee, from_cents(word.fee_cents))
    if word.submissions and dispute.evidence_submitted_at is None:
        dispute.evidence_submitted_at = now
    money_moved = _settle(dispute, found, word, now)
    if moved or money_moved:
        db.session.flush()
        holds.review(dispute.person_id, now)
        holds.pay_debt(dispute.person_id, now)
    return PROCESSED


def _unfit(word: StripeDispute) -> str | None:
    """Why Stripe's dispute is none that these books can take; None where they can."""
    if word.livemode != gateways.current().stripe.livemode:
        return f"{word.id}: livemode {word.livemode}"
    if word.currency != CURRENCY or word.amount_cents <= 0:
        return f"{word.id}: {word.amount_cents} {word.currency}"
    if word.status not in list(DisputeState):
        return f"{word.id}: unknown status {word.status!r}"
    return None


def _keys(payment: Payment) -> tuple[int | None, int | None]:
    """(top-up, invoice): which of them was paid."""
    return (payment.id, None) if isinstance(payment, TopUp) else (None, payment.id)


def _payment_of(word: StripeDispute) -> Payment | Verdict:
    """The disputed payment, locked."""
    by_charge = TopUp.stripe_charge_id == word.charge_id
    by_intent = TopUp.stripe_payment_intent_id == word.payment_intent_id
    wanted = [
        match for match, known in ((by_intent, word.payment_intent_id), (by_charge, word.charge_id)) if known
    ]
    for match in wanted:
        top_up = _locked_top_up(match)
        if top_up is not None and top_up.state == "paid":
            return top_up
        if top_up is not None:
            return later(f"{word.id}: top-up {top_up.id} is {top_up.state}")
    named = word.metadata.get("top_up_id", "")
    if named.isascii() and named.isdigit() and len(named) < 19:
        top_up = db.session.get(TopUp, int(named), populate_existing=True)
        if top_up is not None and str(top_up.person_id) == word.metadata.get("person_id"):
            if top_up.state != "paid":
                return later(f"{word.id}: top-up {top_up.id} is {top_up.state}")
            return quarantined(f"{word.id}: top-up {top_up.id} was paid by another payment")
    invoice_id = subscription_returns.invoice_paid_by(word.payment_intent_id)
    if invoice_id is not None:
        return subscription_returns.lock_invoice(invoice_id)
    if _is_our_customers(word):
        # Stripe charges our customers by itself for their plans: that this one paid is still to be told.
        return later(f"{word.id}: its payment {word.payment_intent_id} is not in the books yet")
    return quarantined(
        f"{word.id}: no payment of ours: charge {word.charge_id}, intent {word.payment_intent_id}"
    )


def _is_our_customers(word: StripeDispute) -> bool:
    customer = select(StripeCustomer.person_id).where(StripeCustomer.stripe_customer_id == word.customer_id)
    return word.customer_id is not None and db.session.scalar(customer) is not None


def _locked_top_up(match: object) -> TopUp | None:
    query = select(TopUp).where(match).with_for_update().execution_options(populate_existing=True)  # type: ignore[arg-type]
    found: TopUp | None = db.session.scalars(query).one_or_none()
    return found


def _row(word: StripeDispute, payment: Payment, now: datetime) -> tuple[Dispute, bool]:
    """The dispute's row, locked, and whether it was made just now. The payment's lock lets nobody make it twice."""
    query = select(Dispute).where(Dispute.stripe_dispute_id == word.id).with_for_update()
    found = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is not None:
        return found, False
    top_up_id, invoice_id = _keys(payment)
    made = Dispute(
        stripe_dispute_id=word.id,
        top_up_id=top_up_id,
        subscription_invoice_id=invoice_id,
        person_id=payment.person_id if isinstance(payment, TopUp) else subscription_returns.owner_of(payment),
        amount=from_cents(word.amount_cents),
        currency=word.currency,
        reason=word.reason[:100],
        state=word.status,
        taken_amount=NOUGHT,
        wallet_part=NOUGHT,
        receivable_part=NOUGHT,
        platform_part=NOUGHT,
        written_off=NOUGHT,
        fee=NOUGHT,
        opened_at=word.opened_at,
        recorded_at=now,
    )
    db.session.add(made)
    db.session.flush()
    return made, True


def _move_state(dispute: Dispute, payment: Payment, state: DisputeState, is_new: bool, now: datetime) -> bool:
    """Move on to ``state`` if that is the later word; whether anything was moved."""
    before = DisputeState(dispute.state)
    if not is_new and not is_later(state, before):
        return False
    dispute.state = state.value
    dispute.closed_at = now if state in CLOSED else None
    details = {"state": state.value, "amount": str(dispute.amount), "reason": dispute.reason}
    if not is_new:
        details["before"] = before.value
    audit.record("dispute.opened" if is_new else "dispute.moved", "dispute", dispute.id, now, details=details)
    if state not in INQUIRIES and (is_new or before in INQUIRIES):
        _tell(dispute, "dispute_opened", now)
    if state is DisputeState.LOST:
        _tell(dispute, "dispute_lost", now)
        if isinstance(payment, SubscriptionInvoice):
            subscription_returns.hasten(payment.subscription_id)
    return True


def _tell(dispute: Dispute, template: str, now: datetime, **more: Decimal) -> None:
    values = {
        "amount": str(dispute.amount),
        "opened_at": dispute.opened_at.isoformat(),
        "paid_for": "wallet" if dispute.subscription_invoice_id is None else "plan",
    }
    values |= {name: str(value) for name, value in more.items()}
    mail.queue(dispute.person_id, template, values, now, key=f"{template}:{dispute.id}")


def _settle(dispute: Dispute, payment: Payment, word: StripeDispute, now: datetime) -> bool:
    """Take the money back, or return it, if that is due and was not done; whether any moved."""
    state = DisputeState(dispute.state)
    came_back = word.withdrawn_cents > 0 and word.reinstated_cents >= word.withdrawn_cents
    # A dispute that is first heard of when it is won went away and came back: both are booked, as Stripe's list has them.
    went = state in HELD or (state is DisputeState.WON and word.withdrawn_cents > 0)
    moved = False
    if went and dispute.taken_transaction_id is None:
        moved = _take_back(dispute, payment, now)
    undone = state is DisputeState.WON or (came_back and state in OPEN)
    if undone and dispute.taken_transaction_id is not None and dispute.returned_transaction_id is None:
        _return(dispute, payment, now)
        moved = True
    return moved


def _take_back(dispute: Dispute, payment: Payment, now: datetime) -> bool:
    """The disputed cash leaves whom it is with (``_bearers``). Whether anything was left to take."""
    rest = payment.amount - payment.refunded_amount - payment.disputed_amount
    amount = min(dispute.amount, max(rest, NOUGHT))
    if amount < dispute.amount:
        name = f"{'top-up' if isinstance(payment, TopUp) else 'invoice'} {payment.id}"
        ledger.raise_alert(
            "dispute_above_payment",
            f"Dispute {dispute.id} over {dispute.amount}, but {rest} is left of {name} "
            f"({payment.refunded_amount} refunded, {payment.disputed_amount} disputed): {dispute.amount - amount} is not booked",
            now,
            reference=f"dispute:{dispute.id}",
        )
    if amount <= 0:
        # The freeze holds all the same; the sweep ends what is live.
        return False
    _stop_spending(dispute, payment, amount, now)
    bearers = _bearers(dispute, payment, amount, now)
    transaction_id, _ = ledger.post(
        TransferKind.CHARGEBACK,
        f"dispute:{dispute.stripe_dispute_id}:chargeback",
        [
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), amount),
            *(ledger.Posting(account, -part) for account, part in bearers.values() if part),
        ],
        now,
        stripe_reference=dispute.stripe_dispute_id,
    )
    dispute.taken_amount, dispute.taken_transaction_id = amount, transaction_id
    for name, (_, part) in bearers.items():
        setattr(dispute, name, part)
    payment.disputed_amount += amount
    details = {
        "amount": str(amount),
        "from_wallet": str(dispute.wallet_part),
        "owed": str(dispute.receivable_part),
        "by_the_platform": str(dispute.platform_part),
        "transaction": transaction_id,
    }
    audit.record("dispute.taken_back", "dispute", dispute.id, now, details=details)
    return True


def _stop_spending(dispute: Dispute, payment: Payment, amount: Decimal, now: datetime) -> None:
    """End a live reading where spending will be stopped. Before any account is locked: the session comes first."""
    will_owe = dispute.state == DisputeState.LOST and isinstance(payment, TopUp)
    if DisputeState(dispute.state) in OPEN or (
        will_owe and ledger.balance(AccountKind.CLIENT_WALLET, dispute.person_id) < amount
    ):
        frozen_readings.end_of(dispute.person_id, now)


def _bearers(
    dispute: Dispute, payment: Payment, amount: Decimal, now: datetime
) -> dict[str, tuple[int, Decimal]]:
    """Out of which accounts ``amount`` dollars go, by the dispute's column for it: a top-up's out of the wallet, as far
    as it is there, the rest is owed; what was paid for a plan is the platform's."""
    if not isinstance(payment, TopUp):
        return {"platform_part": (ledger.account_id(AccountKind.PLATFORM_REVENUE), amount)}
    wallet, receivable = holds.lock_debt(dispute.person_id, now)
    from_wallet = min(amount, ledger.balance(AccountKind.CLIENT_WALLET, dispute.person_id))
    return {"wallet_part": (wallet, from_wallet), "receivable_part": (receivable, amount - from_wallet)}


def _return(dispute: Dispute, payment: Payment, now: datetime) -> None:
    """Undo what was taken: to the wallet, to what is owed still, and what was paid of it meanwhile to the wallet as well.
    What was written off, or was a plan's, comes back to the platform, which bore it."""
    wallet, receivable = holds.lock_debt(dispute.person_id, now)
    to_platform = dispute.written_off + dispute.platform_part
    to_receivable = min(dispute.receivable_part - dispute.written_off, holds.owed(dispute.person_id))
    to_wallet = dispute.taken_amount - to_platform - to_receivable
    parts = (
        (wallet, to_wallet),
        (receivable, to_receivable),
        (ledger.account_id(AccountKind.PLATFORM_REVENUE), to_platform),
    )
    transaction_id, _ = ledger.post(
        TransferKind.CHARGEBACK_WON,
        f"dispute:{dispute.stripe_dispute_id}:won",
        [
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), -dispute.taken_amount),
            *(ledger.Posting(account, part) for account, part in parts if part),
        ],
        now,
        stripe_reference=dispute.stripe_dispute_id,
        reverses_id=dispute.taken_transaction_id,
    )
    dispute.returned_transaction_id = transaction_id
    payment.disputed_amount -= dispute.taken_amount
    details = {"to_wallet": str(to_wallet), "to_debt": str(to_receivable), "transaction": transaction_id}
    audit.record("dispute.returned", "dispute", dispute.id, now, details=details)
    _tell(dispute, "dispute_won", now, returned=dispute.taken_amount)
