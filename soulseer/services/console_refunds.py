"""Refunds for staff: the list and its queue, one with its entries, and what a new one would come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.domain.money import parse_amount
from soulseer.domain.refunds import RefundState
from soulseer.models.payments import TopUp
from soulseer.models.people import Person
from soulseer.models.refunds import Refund
from soulseer.models.subscriptions import SubscriptionInvoice
from soulseer.services import refund_plans, refunds, reversals
from soulseer.services.console import Listed, Window, listed, on_days, people_named
from soulseer.services.refund_plans import Entry, Plan
from soulseer.services.reversals import INVOICE, TO_CARD, TOP_UP, Source

_client, _asker, _decider = aliased(Person), aliased(Person), aliased(Person)


@dataclass(frozen=True)
class Case:
    """One refund: ``row`` has ``Refund``, ``client``, ``asked_by``, ``decided_by_name``, ``subscription_id``. ``plan`` is what it would book
    now where it waits, None where it could not be booked any more (``obstacle`` says why)."""

    row: Row[Any]
    plan: Plan | None = None
    obstacle: str | None = None

    @property
    def refund(self) -> Refund:
        refund: Refund = self.row.Refund
        return refund

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The entries as they were previewed, with the balances of that time."""
        return [
            {**row, "amount": Decimal(row["amount"]), "balance": Decimal(row["balance"])}
            for row in self.refund.plan
        ]

    @property
    def has_moved(self) -> bool:
        """Whether it waits, and would not book what was previewed."""
        waits = self.refund.state == RefundState.REQUESTED.value
        return waits and (self.plan is None or self.plan.hash != self.refund.plan_hash)


@dataclass(frozen=True)
class Draft:
    """A refund to be: ``rest`` may still be given back, ``made`` are the refunds of the same thing so far.

    ``fault`` says, of ``field``, what is wrong with what was typed; ``obstacle`` why nothing can be given back at all.
    """

    source: Source
    made: Sequence[Refund]
    rest: Decimal | None = None
    minutes: int | None = None
    plan: Plan | None = None
    needs_approval: bool = False
    field: str = ""
    fault: str | None = None
    obstacle: str | None = None

    @property
    def limit(self) -> Decimal:
        """What may be given back of one thing without a second person, dollars."""
        return policies.current().refund.approval_limit

    @property
    def payment(self) -> TopUp | SubscriptionInvoice | None:
        """What was paid by card at Stripe, where this goes back to the card. It was read for the plan."""
        if self.source.kind == INVOICE:
            return db.session.get(SubscriptionInvoice, self.source.id)
        return db.session.get(TopUp, self.source.id) if self.source.kind == TOP_UP else None


# Who gives what an account gives, in words; {who} is its owner.
_BEARERS = {
    A.PLATFORM_REVENUE: "The platform, out of its revenue",
    A.PLATFORM_PROMOTIONS: "The platform, out of its promotions",
    A.READER_EARNINGS_PENDING: "The reader {who}, out of pending earnings",
    A.READER_EARNINGS_AVAILABLE: "The reader {who}, out of earnings that were ready for payout",
    A.READER_RECEIVABLE: "The reader {who}, as a debt: it was paid out before, and is kept back from later earnings",
    A.CLIENT_WALLET: "Nobody: the client {who} gets by card what the wallet held",
}


@dataclass(frozen=True)
class Borne:
    """Who gives ``amount`` dollars of a refund, in words for staff."""

    words: str
    amount: Decimal


def borne_by(entries: Iterable[Entry | Mapping[str, Any]]) -> list[Borne]:
    """Who bears a refund: every account that gives, in words; ``entries`` of a plan, or as kept with a refund."""
    found = []
    for entry in entries:
        row = entry if isinstance(entry, Mapping) else vars(entry)
        if row["amount"] < 0:
            kind = A(row["account"])
            words = _BEARERS.get(kind, kind.value.replace("_", " ").capitalize())
            found.append(Borne(words.format(who=row["owner"] or row["owner_id"]), -row["amount"]))
    return found


def _refunds() -> Select:
    return (
        select(
            Refund.id,
            Refund,
            _client.handle.label("client"),
            _asker.handle.label("asked_by"),
            _decider.handle.label("decided_by_name"),
            SubscriptionInvoice.subscription_id,
        )
        .join(_client, _client.id == Refund.person_id)
        .outerjoin(_asker, _asker.id == Refund.requested_by)
        .outerjoin(_decider, _decider.id == Refund.decided_by)
        .outerjoin(SubscriptionInvoice, SubscriptionInvoice.id == Refund.subscription_invoice_id)
    )


def listing(
    window: Window,
    *,
    state: str | None = None,
    destination: str | None = None,
    person: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Refunds, newest first; those with the state ``requested`` wait for a second person."""
    query = _refunds().where(*on_days(Refund.requested_at, since, until))
    if state:
        query = query.where(Refund.state == state)
    if destination:
        query = query.where(Refund.destination == destination)
    if person:
        query = query.where(Refund.person_id.in_(people_named(person)))
    return listed(query, Refund.id, window)


def case(refund_id: int) -> Case:
    """One refund, and what it would book now where it waits. Raises NotFound."""
    row = db.session.execute(
        _refunds().where(Refund.id == refund_id).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no refund {refund_id}.")
    refund: Refund = row.Refund
    if refund.state != RefundState.REQUESTED.value:
        return Case(row)
    try:
        return Case(row, refund_plans.plan(refunds.source_of(refund), refund.amount))
    except (Conflict, InvalidInput) as error:
        return Case(row, obstacle=error.detail)


def draft(source: Source, typed_amount: str, typed_minutes: str) -> Draft:
    """What giving back of ``source`` would come to, by an amount or by minutes. Raises NotFound."""
    made = _made(source)
    try:
        rest = refund_plans.rest_of(source)
        if rest <= 0:
            raise Conflict("All of it was given back before.")
    except Conflict as error:
        return Draft(source, made, obstacle=error.detail)
    whole = None if source.kind in TO_CARD else reversals.of(source)
    minutes = whole.minutes if whole else None
    if not typed_amount and not typed_minutes:
        return Draft(source, made, rest, minutes)
    try:
        amount = _amount(source, typed_amount, typed_minutes)
        plan = refund_plans.plan(source, amount)
        return Draft(source, made, rest, minutes, plan, refunds.needs_approval(source, amount))
    except InvalidInput as error:
        return Draft(source, made, rest, minutes, field=error.field, fault=error.detail)
    except Conflict as error:
        return Draft(source, made, rest, minutes, field="amount", fault=error.detail)


def _amount(source: Source, typed_amount: str, typed_minutes: str) -> Decimal:
    if typed_minutes and typed_amount:
        raise InvalidInput("amount", "Enter an amount or minutes, not both.")
    if typed_minutes:
        text = typed_minutes.strip()
        if source.kind in TO_CARD or not (text.isascii() and text.isdigit() and len(text) < 7):
            raise InvalidInput("minutes", "Enter a whole number of minutes.")
        return reversals.of(source).amount_of(int(text))
    try:
        return parse_amount(typed_amount)
    except ValueError as error:
        raise InvalidInput("amount", str(error)) from None


def shown_under(source: Source) -> int:
    """The number under which the console shows a source: an invoice stands on its subscription's page. Raises NotFound."""
    if source.kind != INVOICE:
        return source.id
    found = db.session.get(SubscriptionInvoice, source.id)
    if found is None:
        raise NotFound(f"There is no invoice {source.id}.")
    return found.subscription_id


def _made(source: Source) -> Sequence[Refund]:
    column = getattr(Refund, refunds.COLUMNS[source.kind])
    return db.session.scalars(select(Refund).where(column == source.id).order_by(Refund.id)).all()
