"""Payouts: the intent is recorded with the money set aside, Stripe is asked, what Stripe says is recorded (design §2, §3).

Every step may be repeated: one ledger key for each movement of a payout, one idempotency key for its transfer. Locks go
in one order: the reader's payout account, the payout, then ledger accounts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import Conflict
from soulseer.domain.money import from_cents, to_cents
from soulseer.domain.transfers import TransferKind
from soulseer.gateways import stripe_connect
from soulseer.gateways.stripe_connect import Transfer, TransferOrder
from soulseer.models.payouts import Payout, PayoutReversal
from soulseer.services import audit, comparing, earnings_release, ledger, mail, payout_accounts, payout_rules

LEAST_WAIT, MOST_WAIT = timedelta(minutes=2), timedelta(hours=1)
# Stripe keeps idempotency keys for at least 24 hours: past them the same key might send the money twice.
RESUMED_FOR = timedelta(hours=12)
REFUSED = "Stripe refused this payout. The money is in your available earnings again."
NO_FUNDS = (
    "SoulSeer’s account at Stripe did not cover this payout at that moment. The money is in your available earnings "
    "again and goes out with the next payout."
)
NOT_SENT = (
    "Stripe could not be reached for hours. Nothing was sent; the money is in your available earnings again."
)
CAME_BACK = (
    "A payout to you came back from your account at Stripe. We look at why before we send the next one."
)


class PayoutRefused(Conflict):
    """There is no payout now; ``obstacle`` names why."""

    code, title = "no_payout_now", "There is no payout now"


class Outcome(StrEnum):
    """What recording Stripe's word came to."""

    PAID = "paid"
    ALREADY_PAID = "already_paid"
    REVERSED = "reversed"
    MISMATCH = "mismatch"


@dataclass(frozen=True)
class Recorded:
    outcome: Outcome
    detail: str = ""


def reference(payout: Payout) -> str:
    """The payout's name at Stripe (idempotency key and transfer group), the same at every retry.

    The instant tells apart the databases of one test account: each of them has a first payout.
    """
    return f"payout:{payout.id}:{int(payout.created_at.timestamp() * 1_000_000)}"


def number_in(name: object) -> int | None:
    """The payout's id in such a name; None where it is none of ours."""
    parts = name.split(":") if isinstance(name, str) else []
    if len(parts) != 3 or parts[0] != "payout" or not (parts[1].isascii() and parts[1].isdigit()):
        return None
    return int(parts[1]) if len(parts[1]) < 19 else None


def begin(person_id: int, now: datetime, *, origin: str, key: str | None = None) -> Payout:
    """Set all that the reader has available aside for a payout; nothing is sent yet.

    ``key`` is the reader's own idempotency key: the same again gives the same payout. Raises PayoutRefused with the
    reason in words; what is owed is kept first.
    """
    account = payout_accounts.locked(person_id)
    if key is not None:
        earlier = db.session.scalars(
            select(Payout).where(Payout.person_id == person_id, Payout.idempotency_key == key)
        ).one_or_none()
        if earlier is not None:
            return earlier
    ledger.lock_accounts([], earnings_of=[person_id])
    found = payout_rules.standing(person_id, account)
    if found.obstacle is not None or account is None or account.stripe_account_id is None:
        raise PayoutRefused(found.words, obstacle=str(found.obstacle))
    payout = Payout(
        person_id=person_id,
        origin=origin,
        amount=found.available - found.owed,
        state="open",
        stripe_account_id=account.stripe_account_id,
        after_transaction_id=_last_movement(person_id),
        idempotency_key=key,
        attempts=0,
        created_at=now,
        next_check_at=now,
    )
    db.session.add(payout)
    db.session.flush()
    earnings_release.offset_owed(person_id, f"payout:{payout.id}", now)
    payout.transaction_id, _ = ledger.post(
        TransferKind.PAYOUT,
        f"payout:{payout.id}",
        [
            ledger.Posting(_available(person_id), -payout.amount),
            ledger.Posting(ledger.account_id(AccountKind.PAYOUTS_IN_TRANSIT), payout.amount),
        ],
        now,
    )
    _tell(payout, "payout.begun", now)
    payout_id = payout.id
    after_commit(lambda: hasten(payout_id))
    return payout


def hasten(payout_id: int) -> None:
    """Have a worker send the payout now rather than at the next sweep."""
    gateways.current().queue.enqueue(
        "payments",
        "send_payouts",
        job_id=f"send_payouts-{payout_id}",
        arguments={"arguments": {"payout": str(payout_id)}},
    )


def _last_movement(person_id: int) -> int:
    """The movement of the last payout that was sent: what comes after it is on the next statement."""
    found = db.session.scalar(
        select(func.max(Payout.transaction_id)).where(
            Payout.person_id == person_id, Payout.state.in_(("paid", "reversed"))
        )
    )
    return found or 0


def _available(person_id: int) -> int:
    return ledger.account_id(AccountKind.READER_EARNINGS_AVAILABLE, person_id)


def claim(now: datetime, payout_id: int | None = None) -> Payout | None:
    """Take one open payout that is due (or this one, if it is open) to be sent; None where there is none.

    It comes back later by itself (``next_check_at``), so that a crash or a silent Stripe loses nothing. Two workers
    with the same payout use the same key: Stripe sends it once.
    """
    query = select(Payout).where(Payout.state == "open", Payout.next_check_at <= now)
    if payout_id is not None:
        query = query.where(Payout.id == payout_id)
    payout = db.session.scalars(
        query.order_by(Payout.next_check_at).limit(1).with_for_update(skip_locked=True)
    ).one_or_none()
    if payout is not None:
        payout.attempts += 1
        payout.next_check_at = now + min(max(now - payout.created_at, LEAST_WAIT), MOST_WAIT)
    return payout


def ask_stripe(payout: Payout, now: datetime) -> Transfer | None:
    """The payout's transfer, made if it was not yet; None for one that nobody could send in time, and that Stripe
    does not have.

    Call it outside any transaction. Raises StripeUnavailable (may be repeated: same key), StripeRefused.
    """
    stripe, name = gateways.current().stripe, reference(payout)
    if now - payout.created_at > RESUMED_FOR:
        return stripe_connect.find_transfer(stripe, name, payout.stripe_account_id)
    order = TransferOrder(
        to_cents(payout.amount), payout.currency, payout.stripe_account_id, name, _metadata(payout)
    )
    return stripe_connect.create_transfer(stripe, order, name)


def _metadata(payout: Payout) -> dict[str, str]:
    return {"payout_id": str(payout.id), "person_id": str(payout.person_id)}


def disagreement(payout: Payout, transfer: Transfer) -> str | None:
    """How Stripe's transfer differs from what was recorded before it was asked; None where they agree."""
    expected = {
        "id": (payout.stripe_transfer_id or transfer.id, transfer.id),
        "amount": (to_cents(payout.amount), transfer.amount_cents),
        "currency": (payout.currency, transfer.currency),
        "destination": (payout.stripe_account_id, transfer.destination),
        "group": (reference(payout), transfer.group),
        "livemode": (gateways.current().stripe.livemode, transfer.livemode),
    }
    return "; ".join(comparing.differing(expected)) or None


def record(payout_id: int, transfer: Transfer, now: datetime) -> Recorded:
    """Bring the payout to what Stripe says of its transfer: sent, and what of it came back; each once.

    ``transfer`` comes from Stripe itself, never from an event. What disagrees moves no money: it raises a ledger alert
    and comes back as MISMATCH; so does a transfer of a payout that was given up.
    """
    payout = _locked(payout_id)
    wrong = disagreement(payout, transfer)
    if wrong is None and payout.state == "failed":
        wrong = "it was sent after it had been given up"
    if wrong is not None:
        detail = f"Payout {payout.id}, {transfer.id}: {wrong}"
        ledger.raise_alert("payout_mismatch", detail, now, reference=f"payout:{payout.id}")
        payout.next_check_at = None
        return Recorded(Outcome.MISMATCH, wrong)
    outcome = Outcome.ALREADY_PAID
    if payout.state == "open":
        _sent(payout, transfer, now)
        outcome = Outcome.PAID
    returned = from_cents(transfer.reversed_cents) - payout.reversed_amount
    if returned > 0:
        _returned(payout, returned, now)
        outcome = Outcome.REVERSED
    return Recorded(outcome)


def _sent(payout: Payout, transfer: Transfer, now: datetime) -> None:
    ledger.post(
        TransferKind.PAYOUT_SENT,
        f"payout:{payout.id}:sent",
        [
            ledger.Posting(ledger.account_id(AccountKind.PAYOUTS_IN_TRANSIT), -payout.amount),
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), payout.amount),
        ],
        now,
        stripe_reference=transfer.id,
    )
    payout.state, payout.paid_at, payout.stripe_transfer_id = "paid", now, transfer.id
    payout.next_check_at = None
    db.session.flush()
    _tell(payout, "payout.paid", now)
    _mail(payout, "payout_paid", now)


def _returned(payout: Payout, amount: Decimal, now: datetime) -> None:
    """Dollars that Stripe took back from the reader's account are available again; payouts wait for a person."""
    total = payout.reversed_amount + amount
    ledger.lock_accounts([], earnings_of=[payout.person_id])
    transaction_id, _ = ledger.post(
        TransferKind.PAYOUT_FAILED,
        f"payout:{payout.id}:reversed:{to_cents(total)}",
        [
            ledger.Posting(ledger.account_id(AccountKind.STRIPE_CLEARING), -amount),
            ledger.Posting(_available(payout.person_id), amount),
        ],
        now,
        stripe_reference=payout.stripe_transfer_id,
        reverses_id=payout.transaction_id,
    )
    db.session.add(
        PayoutReversal(payout_id=payout.id, amount=amount, transaction_id=transaction_id, created_at=now)
    )
    payout.reversed_amount = total
    if total == payout.amount:
        payout.state = "reversed"
    db.session.flush()
    earnings_release.offset_owed(payout.person_id, f"payout:{payout.id}:reversed:{to_cents(total)}", now)
    _tell(payout, "payout.reversed", now, returned=str(amount))
    payout_accounts.pause(payout.person_id, CAME_BACK, now)


def record_failure(payout_id: int, words: str, now: datetime) -> None:
    """Nothing was sent, and nothing will be: the money is available again. ``words`` tell the reader why."""
    payout = _locked(payout_id)
    if payout.state != "open":
        return
    ledger.lock_accounts([], earnings_of=[payout.person_id])
    ledger.post(
        TransferKind.PAYOUT_FAILED,
        f"payout:{payout.id}:failed",
        [
            ledger.Posting(ledger.account_id(AccountKind.PAYOUTS_IN_TRANSIT), -payout.amount),
            ledger.Posting(_available(payout.person_id), payout.amount),
        ],
        now,
        reverses_id=payout.transaction_id,
    )
    payout.state, payout.failed_at, payout.failure, payout.next_check_at = "failed", now, words, None
    db.session.flush()
    earnings_release.offset_owed(payout.person_id, f"payout:{payout.id}:failed", now)
    _tell(payout, "payout.failed", now, failure=words)
    _mail(payout, "payout_failed", now)


def _tell(payout: Payout, action: str, now: datetime, **details: str) -> None:
    about = {"amount": str(payout.amount), "origin": payout.origin, "transfer": payout.stripe_transfer_id}
    audit.record(action, "payout", payout.id, now, details=about | details)


def _mail(payout: Payout, template: str, now: datetime) -> None:
    values = {
        "amount": str(payout.amount),
        "failure": payout.failure or "",
        "page": f"{payout_accounts.page()}{payout.id}/",
    }
    mail.queue(payout.person_id, template, values, now, key=f"{template}:{payout.id}")


def _locked(payout_id: int) -> Payout:
    person_id = db.session.scalars(select(Payout.person_id).where(Payout.id == payout_id)).one()
    payout_accounts.locked(person_id)
    return db.session.scalars(
        select(Payout)
        .where(Payout.id == payout_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
