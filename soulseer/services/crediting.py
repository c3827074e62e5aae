"""What a top-up comes to: its money in the wallet, once, with a receipt; or nothing, and its owner told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.gateways.stripe import Card
from soulseer.models.payments import TopUp
from soulseer.services import audit, customers, holds, ledger, mail


class Outcome(StrEnum):
    """What recording Stripe's word came to."""

    CREDITED = "credited"
    ALREADY_CREDITED = "already_credited"
    WAITING = "waiting"
    EXPIRED = "expired"
    FAILED = "failed"
    MISMATCH = "mismatch"


@dataclass(frozen=True)
class Payment:
    """What Stripe says was paid. ``name`` is the id at Stripe that makes the credit one of a kind."""

    name: str
    payment_intent_id: str | None
    charge_id: str | None
    card: Card | None


@dataclass(frozen=True)
class Recorded:
    outcome: Outcome
    detail: str = ""


def credit(top_up: TopUp, payment: Payment, now: datetime) -> Recorded:
    """Put the money of a locked top-up into the wallet, once; keep the card if that was agreed to; write a receipt."""
    # The money may pay a debt: both accounts in one order, before either moves.
    ledger.lock_accounts(holds.money_of(top_up.person_id))
    ledger.post(
        TransferKind.TOP_UP,
        f"top-up:{payment.name}",
        [
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), -top_up.amount),
            ledger.Posting(top_up.account_id, top_up.amount),
        ],
        now,
        stripe_reference=payment.payment_intent_id,
    )
    holds.pay_debt(top_up.person_id, now)
    top_up.state, top_up.paid_at, top_up.failure, top_up.next_check_at = "paid", now, None, None
    top_up.stripe_payment_intent_id = payment.payment_intent_id
    top_up.stripe_charge_id = payment.charge_id
    if top_up.card_consent_at is not None and payment.card is not None:
        customers.keep_card(top_up.person_id, payment.card, top_up.card_consent_at, now)
    audit.record(
        "top_up.credited",
        "top_up",
        top_up.id,
        now,
        details={"amount": str(top_up.amount), "currency": top_up.currency, "checkout_session": payment.name},
    )
    _write_receipt(top_up, payment.card, now)
    return Recorded(Outcome.CREDITED)


def close(top_up: TopUp, state: str, failure: str | None) -> Recorded:
    """Note on a locked top-up that it came to nothing; nobody is told."""
    # What failed stays failed, what expired stays expired; only a payment moves them.
    if top_up.state in ("created", "open"):
        top_up.state, top_up.failure = state, failure
    top_up.next_check_at = None
    return Recorded(Outcome.EXPIRED if state == "expired" else Outcome.FAILED)


def _write_receipt(top_up: TopUp, card: Card | None, now: datetime) -> None:
    values = {
        "number": str(top_up.id),
        "amount": str(top_up.amount),
        "currency": top_up.currency,
        "paid_at": now.isoformat(),
        "card": "" if card is None else card.words,
    }
    template = "auto_reload_receipt" if top_up.origin == "auto_reload" else "top_up_receipt"
    mail.queue(top_up.person_id, template, values, now, key=f"top_up_receipt:{top_up.id}")


def close_failed(top_up: TopUp, failure: str, now: datetime) -> Recorded:
    """Note on a locked top-up that it came to nothing; its owner, who no longer waits for it, is told by mail."""
    told = top_up.processing_since is not None and top_up.state in ("created", "open")
    recorded = close(top_up, "failed", failure)
    if told and top_up.origin == "checkout":
        values = {"amount": str(top_up.amount), "begun_at": top_up.created_at.isoformat()}
        mail.queue(top_up.person_id, "top_up_failed", values, now, key=f"top_up_failed:{top_up.id}")
    return recorded
