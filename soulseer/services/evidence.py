"""What we know about a disputed payment: the payment, what was had for it, what was given back, who signed in from where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import NotFound
from soulseer.domain.transfers import TransferKind
from soulseer.models.disputes import Dispute
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from soulseer.models.payments import TopUp
from soulseer.models.people import Login, Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingReceipt, ReadingSession, ReadingSessionEvent
from soulseer.models.subscriptions import Plan, PlanPrice, Subscription, SubscriptionInvoice

# A sign-in lasts two weeks: the one that paid is among these.
BEFORE = timedelta(days=15)
MOST_READINGS, MOST_SIGN_INS, MOST_REFUNDS = 100, 200, 100
_GIVEN_BACK = (TransferKind.REFUND_TO_CARD, TransferKind.REFUND_TO_WALLET, TransferKind.FAIR_CREDIT)


@dataclass(frozen=True)
class Reading:
    """One reading that the client had since the payment, with every move of it."""

    session: ReadingSession
    reader_name: str
    receipt: ReadingReceipt | None
    events: Sequence[ReadingSessionEvent]


@dataclass(frozen=True)
class GivenBack:
    """Money that the client got back since the payment, dollars."""

    kind: str
    amount: Decimal
    at: datetime
    reference: str


@dataclass(frozen=True)
class Paid:
    """The disputed payment, dollars: asked for at ``since``. ``plan`` and its subscription where it paid for one."""

    amount: Decimal
    since: datetime
    paid_at: datetime | None
    payment_intent_id: str | None
    charge_id: str | None = None
    plan: Plan | None = None
    subscription: Subscription | None = None


@dataclass(frozen=True)
class Evidence:
    """Everything, oldest first. ``paid_from`` is the address of the sign-in under which it was paid, where one is known."""

    dispute: Dispute
    payment: Paid
    person: Person
    readings: Sequence[Reading]
    given_back: Sequence[GivenBack]
    sign_ins: Sequence[Login]
    paid_from: str | None


def collect(dispute_id: int) -> Evidence:
    """All that there is about a dispute. Raises NotFound."""
    row = db.session.execute(
        select(Dispute, TopUp, Person)
        .outerjoin(TopUp, TopUp.id == Dispute.top_up_id)
        .join(Person, Person.id == Dispute.person_id)
        .where(Dispute.id == dispute_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no dispute {dispute_id}.")
    dispute, top_up, person = row
    payment = _of_plan(dispute) if top_up is None else _of_top_up(top_up)
    sign_ins = _sign_ins(person.id, payment.since - BEFORE)
    earlier = [login for login in sign_ins if login.created_at <= payment.since and login.address]
    return Evidence(
        dispute,
        payment,
        person,
        _readings(person.id, payment.since),
        _given_back(person.id, payment.since),
        sign_ins,
        earlier[-1].address if earlier else None,
    )


def _of_top_up(row: TopUp) -> Paid:
    return Paid(row.amount, row.created_at, row.paid_at, row.stripe_payment_intent_id, row.stripe_charge_id)


def _of_plan(dispute: Dispute) -> Paid:
    invoice, plan, subscription = db.session.execute(
        select(SubscriptionInvoice, Plan, Subscription)
        .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
        .join(PlanPrice, PlanPrice.id == Subscription.plan_price_id)
        .join(Plan, Plan.id == PlanPrice.plan_id)
        .where(SubscriptionInvoice.id == dispute.subscription_invoice_id)
    ).one()
    intent = invoice.stripe_payment_intent_id
    return Paid(
        invoice.amount, invoice.issued_at, invoice.paid_at, intent, plan=plan, subscription=subscription
    )


def _readings(client_id: int, since: datetime) -> list[Reading]:
    rows = db.session.execute(
        select(ReadingSession, ReaderProfile.display_name, ReadingReceipt)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .outerjoin(ReadingReceipt, ReadingReceipt.reading_session_id == ReadingSession.id)
        .where(ReadingSession.client_id == client_id, ReadingSession.created_at >= since)
        .order_by(ReadingSession.id.desc())
        .limit(MOST_READINGS)
    ).all()
    events: dict[int, list[ReadingSessionEvent]] = {row[0].id: [] for row in rows}
    for event in db.session.scalars(
        select(ReadingSessionEvent)
        .where(ReadingSessionEvent.reading_session_id.in_(events))
        .order_by(ReadingSessionEvent.id)
    ):
        events[event.reading_session_id].append(event)
    return [Reading(session, name, receipt, events[session.id]) for session, name, receipt in reversed(rows)]


def _given_back(person_id: int, since: datetime) -> list[GivenBack]:
    rows = db.session.execute(
        select(LedgerTransaction, LedgerEntry.amount)
        .join(LedgerEntry, LedgerEntry.transaction_id == LedgerTransaction.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            LedgerAccount.owner_id == person_id,
            LedgerAccount.kind == AccountKind.CLIENT_WALLET.value,
            LedgerTransaction.kind.in_([kind.value for kind in _GIVEN_BACK]),
            LedgerTransaction.created_at >= since,
        )
        .order_by(LedgerEntry.id.desc())
        .limit(MOST_REFUNDS)
    ).all()
    return [
        GivenBack(booked.kind, abs(amount), booked.created_at, booked.stripe_reference or "")
        for booked, amount in reversed(rows)
    ]


def _sign_ins(person_id: int, since: datetime) -> list[Login]:
    rows = db.session.scalars(
        select(Login)
        .where(Login.person_id == person_id, Login.created_at >= since)
        .order_by(Login.created_at.desc())
        .limit(MOST_SIGN_INS)
    ).all()
    return list(reversed(rows))
