"""Disputes for staff: the list, and one with its client, its payment, its entries and its answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.disputes import ANSWERABLE, OPEN, DisputeState
from soulseer.domain.errors import NotFound
from soulseer.models.disputes import Dispute, DisputeResponse, SpendingHold
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from soulseer.models.payments import TopUp
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.models.subscriptions import SubscriptionInvoice
from soulseer.services.console import Listed, Window, listed, on_days, people_named

MOST_READINGS = 20


@dataclass(frozen=True)
class Case:
    """One dispute, of a top-up or an ``invoice``. ``entries``: every entry of its movements; ``owed``: what the client
    owes now, dollars."""

    dispute: Dispute
    top_up: TopUp | None
    invoice: SubscriptionInvoice | None
    person: Person
    entries: Sequence[Any]
    responses: Sequence[Any]
    holds: Sequence[SpendingHold]
    readings: Sequence[Any]
    owed: Decimal

    @property
    def answerable(self) -> bool:
        """Whether the bank takes an answer, and none is under way."""
        under_way = any(row.DisputeResponse.state == "recorded" for row in self.responses)
        return DisputeState(self.dispute.state) in ANSWERABLE and not under_way

    @property
    def can_be_written_off(self) -> bool:
        dispute = self.dispute
        return (
            dispute.state == DisputeState.LOST
            and self.owed > 0
            and 0 == dispute.written_off < dispute.receivable_part
        )


def disputes(
    window: Window,
    *,
    state: str | None = None,
    open: str | None = None,
    person: str | None = None,
    stripe: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Disputes, newest first. ``open``: yes or no; ``stripe``: the id of a dispute, charge or payment intent, whole."""
    query: Select = (
        select(Dispute.id, Dispute, Person.handle.label("person"))
        .join(Person, Person.id == Dispute.person_id)
        .where(*on_days(Dispute.opened_at, since, until))
    )
    undecided = [each.value for each in OPEN]
    if state:
        query = query.where(Dispute.state == state)
    if open:
        query = query.where(
            Dispute.state.in_(undecided) if open == "yes" else Dispute.state.not_in(undecided)
        )
    if person:
        query = query.where(Dispute.person_id.in_(people_named(person)))
    if stripe:
        paid_by = select(TopUp.id).where(
            or_(TopUp.stripe_payment_intent_id == stripe, TopUp.stripe_charge_id == stripe)
        )
        billed = select(SubscriptionInvoice.id).where(SubscriptionInvoice.stripe_payment_intent_id == stripe)
        query = query.where(
            or_(
                Dispute.stripe_dispute_id == stripe,
                Dispute.top_up_id.in_(paid_by),
                Dispute.subscription_invoice_id.in_(billed),
            )
        )
    return listed(query, Dispute.id, window)


def case(dispute_id: int) -> Case:
    """One dispute in full; six statements. Raises NotFound."""
    row = db.session.execute(
        select(Dispute, TopUp, SubscriptionInvoice, Person, LedgerAccount.balance)
        .outerjoin(TopUp, TopUp.id == Dispute.top_up_id)
        .outerjoin(SubscriptionInvoice, SubscriptionInvoice.id == Dispute.subscription_invoice_id)
        .join(Person, Person.id == Dispute.person_id)
        .outerjoin(
            LedgerAccount,
            (LedgerAccount.owner_id == Dispute.person_id)
            & (LedgerAccount.kind == AccountKind.CLIENT_RECEIVABLE.value),
        )
        .where(Dispute.id == dispute_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no dispute {dispute_id}.")
    dispute, top_up, invoice, person, receivable = row
    since = invoice.issued_at if top_up is None else top_up.created_at
    return Case(
        dispute,
        top_up,
        invoice,
        person,
        _entries(dispute),
        _responses(dispute_id),
        db.session.scalars(
            select(SpendingHold).where(SpendingHold.person_id == person.id).order_by(SpendingHold.id.desc())
        ).all(),
        _readings(person.id, since),
        max(-(receivable or Decimal(0)), Decimal("0.00")),
    )


def _entries(dispute: Dispute) -> Sequence[Any]:
    owner = aliased(Person)
    return db.session.execute(
        select(
            LedgerTransaction.id.label("transaction_id"),
            LedgerTransaction.kind,
            LedgerTransaction.created_at,
            LedgerEntry.account_id,
            LedgerEntry.amount,
            LedgerAccount.kind.label("account_kind"),
            owner.handle.label("owner"),
            owner.id.label("owner_id"),
        )
        .join(LedgerEntry, LedgerEntry.transaction_id == LedgerTransaction.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .outerjoin(owner, owner.id == LedgerAccount.owner_id)
        .where(
            LedgerTransaction.idempotency_key.in_(
                [f"dispute:{dispute.stripe_dispute_id}:{what}" for what in ("chargeback", "won", "write-off")]
            )
        )
        .order_by(LedgerEntry.id)
    ).all()


def _responses(dispute_id: int) -> Sequence[Any]:
    return db.session.execute(
        select(DisputeResponse, Person.handle.label("actor"))
        .join(Person, Person.id == DisputeResponse.actor_id)
        .where(DisputeResponse.dispute_id == dispute_id)
        .order_by(DisputeResponse.id)
    ).all()


def _readings(client_id: int, since: datetime) -> Sequence[Any]:
    return db.session.execute(
        select(ReadingSession, ReaderProfile.display_name)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .where(ReadingSession.client_id == client_id, ReadingSession.created_at >= since)
        .order_by(ReadingSession.id.desc())
        .limit(MOST_READINGS)
    ).all()
