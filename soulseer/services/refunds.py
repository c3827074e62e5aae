"""Refunds: asked for with what was previewed, approved by a second person above a limit, booked, told to the client.

What goes to a card is booked here, before Stripe is asked (services/refund_sending.py). Locks: the source's row (its
``reversal``, or the top-up), then all accounts that move in id order.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import (
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    NotFound,
    PreviewChanged,
    RefundWaiting,
)
from soulseer.domain.refunds import BOOKED, GIVEN, Destination, Origin, RefundState
from soulseer.domain.transfers import TransferKind
from soulseer.models.payments import TopUp
from soulseer.models.refunds import Refund
from soulseer.models.subscriptions import SubscriptionInvoice
from soulseer.services import (
    audit,
    earnings,
    holds,
    ledger,
    mail,
    own_money,
    promotions,
    refund_plans,
    reversals,
    subscription_returns,
)
from soulseer.services.refund_plans import Plan
from soulseer.services.reversals import INVOICE, NOTHING, READING, TO_CARD, TOP_UP, TRANSACTION, Source

COLUMNS = {
    READING: "reading_session_id",
    TRANSACTION: "source_transaction_id",
    TOP_UP: "top_up_id",
    INVOICE: "subscription_invoice_id",
}
JOB = "send_refunds"
TRANSFERS_OF = {
    Destination.WALLET: TransferKind.REFUND_TO_WALLET,
    Destination.CARD: TransferKind.REFUND_TO_CARD,
}


def source_of(refund: Refund) -> Source:
    return Source(*refund.source)


def request(
    source: Source,
    amount: Decimal,
    plan_hash: str,
    actor_id: int,
    reason: str,
    now: datetime,
    *,
    key: str,
) -> Refund:
    """Give ``amount`` dollars back by exactly the plan that was previewed; above the limit, ask for it.

    ``key`` is the form's: the same again is the same refund. Raises NotFound, Forbidden for one's own money, InvalidInput
    (``amount``), PreviewChanged where the entries would be others, RefundWaiting, IdempotencyMismatch.
    """
    lock_source(source, now)
    earlier = _asked_before(actor_id, key)
    if earlier is not None:
        if source_of(earlier) != source or earlier.amount != amount:
            raise IdempotencyMismatch()
        return earlier
    plan = locked_plan(source, amount)
    own_money.refuse(actor_id, (plan.person_id, plan.reader_id))
    if plan.hash != plan_hash:
        raise PreviewChanged(
            "The amounts have moved since this was previewed. Please look at the new preview."
        )
    _none_waiting(source)
    refund = Refund(
        person_id=plan.person_id,
        destination=plan.destination.value,
        origin=Origin.STAFF.value,
        needs_approval=needs_approval(source, amount),
        requested_by=actor_id,
        request_key=key,
        reason=reason,
        **described(plan, now),
    )
    db.session.add(refund)
    db.session.flush()
    record(refund, "refund.requested", now, actor_id=actor_id, reason=reason)
    if refund.needs_approval:
        tell(refund, now)
    else:
        book(refund, plan, now, actor_id=actor_id)
    return refund


def described(plan: Plan, now: datetime) -> dict[str, object]:
    """The columns of a refund that say what is given back."""
    return {
        COLUMNS[plan.source.kind]: plan.source.id,
        "amount": plan.amount,
        "plan": plan.plain(),
        "plan_hash": plan.hash,
        "requested_at": now,
        "state": RefundState.REQUESTED.value,
    }


def lock_source(source: Source, now: datetime) -> None:
    """Let nobody else give back of the same thing until this transaction ends. Raises NotFound, Conflict."""
    if source.kind in TO_CARD:
        lock_payment(source)
    else:
        reversals.lock(source, now)


def lock_payment(source: Source) -> TopUp | SubscriptionInvoice:
    """What was paid by card, with its row locked. Raises NotFound."""
    if source.kind == INVOICE:
        return subscription_returns.lock_invoice(source.id)
    return lock_top_up(source.id)


def lock_top_up(top_up_id: int) -> TopUp:
    """The top-up with its row locked. Raises NotFound."""
    found = db.session.scalars(
        select(TopUp).where(TopUp.id == top_up_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no top-up {top_up_id}.")
    return found


def locked_plan(source: Source, amount: Decimal) -> Plan:
    """The plan as of now with every account that it may move locked; the source is locked before."""
    if source.kind == TOP_UP:
        person_id = db.session.get_one(TopUp, source.id).person_id
        ledger.lock_accounts(holds.money_of(person_id))
    elif source.kind != INVOICE:
        whole = reversals.of(source)
        readers = [] if whole.reader_id is None else [whole.reader_id]
        ledger.lock_accounts(
            holds.money_of(whole.client_id), earnings_of=readers, credit_of=[whole.client_id]
        )
    return refund_plans.plan(source, amount)


def _asked_before(actor_id: int, key: str) -> Refund | None:
    return db.session.scalars(
        select(Refund).where(Refund.requested_by == actor_id, Refund.request_key == key)
    ).one_or_none()


def _none_waiting(source: Source) -> None:
    waiting = db.session.scalar(
        select(Refund.id).where(
            getattr(Refund, COLUMNS[source.kind]) == source.id,
            Refund.state == RefundState.REQUESTED.value,
            Refund.needs_approval,
        )
    )
    if waiting is not None:
        raise RefundWaiting(f"Refund {waiting} of {source} waits for approval: it is decided first.")


def needs_approval(source: Source, amount: Decimal) -> bool:
    """Whether ``amount`` more of ``source``, with what staff gave of it without approval before, is above the limit."""
    given = db.session.scalar(
        select(func.sum(Refund.amount)).where(
            getattr(Refund, COLUMNS[source.kind]) == source.id,
            Refund.origin == Origin.STAFF.value,
            Refund.state.in_([state.value for state in GIVEN]),
            ~Refund.needs_approval,
        )
    )
    return (given or NOTHING) + amount > policies.current().refund.approval_limit


def approve(refund_id: int, plan_hash: str, actor_id: int, reason: str, now: datetime) -> Refund:
    """Book a refund that waits, by exactly the plan that was previewed when it was asked for.

    ``plan_hash`` names what the approver saw. Raises NotFound, Forbidden for one's own request or money, Conflict where
    it does not wait any more, PreviewChanged where its entries would be others now.
    """
    lock_source(source_of(found(refund_id)), now)
    refund = _waiting(refund_id)
    if actor_id in (refund.requested_by, refund.person_id):
        raise Forbidden("A second person must approve this: not the one who asked for it, nor its receiver.")
    plan = locked_plan(source_of(refund), refund.amount)
    own_money.refuse(actor_id, (plan.person_id, plan.reader_id))
    if not refund.plan_hash == plan_hash == plan.hash:
        raise PreviewChanged(
            "The amounts have moved since this was asked for. Decline it, and have it asked for again."
        )
    _decide(refund, actor_id, reason, now)
    book(refund, plan, now, actor_id=actor_id, reason=reason)
    return refund


def decline(refund_id: int, actor_id: int, reason: str, now: datetime) -> Refund:
    """Say no to a refund that waits. Raises NotFound, Forbidden for one's own request (cancel it), Conflict."""
    refund = _waiting(refund_id)
    if actor_id in (refund.requested_by, refund.person_id):
        raise Forbidden("This is yours: cancel it instead.")
    return _end(refund, RefundState.DECLINED, actor_id, reason, now)


def cancel(refund_id: int, actor_id: int, reason: str, now: datetime) -> Refund:
    """Take back one's own request. Raises NotFound, Forbidden, Conflict."""
    refund = _waiting(refund_id)
    if actor_id != refund.requested_by:
        raise Forbidden("Only who asked for it can cancel it.")
    return _end(refund, RefundState.CANCELLED, actor_id, reason, now)


def _end(refund: Refund, state: RefundState, actor_id: int, reason: str, now: datetime) -> Refund:
    _decide(refund, actor_id, reason, now)
    refund.state = state.value
    record(refund, f"refund.{state.value}", now, actor_id=actor_id, reason=reason)
    tell(refund, now)
    return refund


def _decide(refund: Refund, actor_id: int, reason: str, now: datetime) -> None:
    refund.decided_by, refund.decided_at, refund.decision = actor_id, now, reason


def _waiting(refund_id: int) -> Refund:
    """A refund that waits for approval, locked. Raises NotFound, Conflict."""
    refund = locked(refund_id)
    if refund.state != RefundState.REQUESTED.value:
        raise Conflict(f"Refund {refund_id} is {refund.state}: it was decided before.")
    return refund


def found(refund_id: int) -> Refund:
    """The refund. Raises NotFound."""
    refund = db.session.get(Refund, refund_id, populate_existing=True)
    if refund is None:
        raise NotFound(f"There is no refund {refund_id}.")
    return refund


def locked(refund_id: int) -> Refund:
    """The refund with its row locked. Raises NotFound."""
    refund = db.session.scalars(
        select(Refund)
        .where(Refund.id == refund_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if refund is None:
        raise NotFound(f"There is no refund {refund_id}.")
    return refund


def book(refund: Refund, plan: Plan, now: datetime, *, actor_id: int | None, reason: str = "") -> None:
    """Post the plan's entries: a refund to the wallet is settled with it, one to the card is about to be sent.

    Source and accounts are locked, and ``plan`` was made under these locks.
    """
    source = plan.source
    if source.kind in TO_CARD:
        stripe_reference = _raise_refunded(source, plan.amount)
    else:
        stripe_reference = None
        _take_back(plan, now)
    transaction_id, _ = ledger.post(
        TRANSFERS_OF[plan.destination],
        f"refund:{refund.id}",
        [ledger.Posting(ledger.account_id(e.account, e.owner_id), e.amount) for e in plan.entries],
        now,
        reading_session_id=plan.reading_session_id,
        stripe_reference=stripe_reference,
        reverses_id=source.id if source.kind == TRANSACTION else None,
        actor_id=actor_id,
        memo=f"Refund {refund.id} of {source}",
    )
    # At once: the database takes no booked refund in a state that says otherwise, and whatever is read writes it.
    with db.session.no_autoflush:
        refund.transaction_id = transaction_id
        if plan.destination is Destination.CARD:
            refund.state, refund.next_check_at = RefundState.APPROVED.value, now
        else:
            refund.state, refund.settled_at = RefundState.SETTLED.value, now
    if plan.destination is Destination.CARD:
        if refund.stripe_refund_id is None:
            send_soon(refund)
    else:
        _give_credit_back(plan, transaction_id, now)
        holds.pay_debt(refund.person_id, now)
    record(refund, "refund.booked", now, actor_id=actor_id, reason=reason)
    # One that Stripe has made already is told of once, as what it is there.
    if refund.stripe_refund_id is None:
        tell(refund, now)


def _take_back(plan: Plan, now: datetime) -> None:
    """Note on source and earnings what the refund takes of them."""
    row, _ = reversals.lock(plan.source, now)
    row.refunded += plan.amount
    row.reader_refunded += plan.reader_part
    if plan.reader_id is not None and plan.reader_part > 0:
        # The plan was made by the preview of the same, under the same locks.
        earnings.take_back(plan.reader_id, plan.reader_part, now, **refund_plans.own(plan.source))
    db.session.flush()


def _give_credit_back(plan: Plan, transaction_id: int, now: datetime) -> None:
    credit = sum((e.amount for e in plan.entries if e.account is A.CLIENT_PROMOTIONAL_CREDIT), NOTHING)
    if credit > 0:
        purpose = reversals.of(plan.source).purpose
        promotions.give_back(plan.person_id, purpose, credit, transaction_id, now)


def _raise_refunded(source: Source, amount: Decimal) -> str | None:
    payment: TopUp | SubscriptionInvoice
    if source.kind == INVOICE:
        payment = db.session.get_one(SubscriptionInvoice, source.id)
    else:
        payment = db.session.get_one(TopUp, source.id)
    payment.refunded_amount += amount
    db.session.flush()
    if isinstance(payment, SubscriptionInvoice):
        subscription_returns.hasten(payment.subscription_id)
    return payment.stripe_payment_intent_id


def send_soon(refund: Refund) -> None:
    """Have a worker ask Stripe right after the commit; the sweep would do it anyway."""
    refund_id = refund.id
    after_commit(lambda: _enqueue(refund_id))


def _enqueue(refund_id: int) -> None:
    gateways.current().queue.enqueue(
        "payments", JOB, job_id=f"{JOB}-{refund_id}", arguments={"arguments": {"refund": str(refund_id)}}
    )


def record(
    refund: Refund, action: str, now: datetime, *, actor_id: int | None = None, reason: str = ""
) -> None:
    """The audit row of what was done to a refund."""
    details = {"amount": str(refund.amount), "of": str(source_of(refund)), "state": refund.state}
    if refund.transaction_id is not None:
        details["transaction"] = str(refund.transaction_id)
    second = refund.decided_by if refund.needs_approval and refund.state in BOOKED else None
    audit.record(
        action, "refund", refund.id, now,
        actor_id=actor_id, approver_id=second, subject_id=refund.person_id, reason=reason, details=details,
    )  # fmt: skip


def tell(refund: Refund, now: datetime) -> None:
    """Have the client told of the state that the refund has come to. A request that was taken back says so."""
    said = RefundState.DECLINED if refund.state == RefundState.CANCELLED.value else RefundState(refund.state)
    values: Mapping[str, str] = {
        "amount": str(refund.amount),
        "destination": refund.destination,
        "paid_for": "wallet" if refund.subscription_invoice_id is None else "plan",
        "refund": str(refund.id),
        "failure": refund.failure or "",
    }
    mail.queue(
        refund.person_id, f"refund_{said.value}", values, now, key=f"refund_{refund.state}:{refund.id}"
    )
