"""What a refund would book, entry by entry, before it is done; and the name of exactly that."""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.accounts import PLATFORM_KINDS
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.domain.refunds import Destination
from soulseer.models.ledger import LedgerAccount
from soulseer.models.payments import TopUp
from soulseer.models.people import Person
from soulseer.models.subscriptions import Subscription, SubscriptionInvoice
from soulseer.services import earnings, ledger, promotions, reversals
from soulseer.services.reversals import INVOICE, NOTHING, TOP_UP, TRANSACTION, Reversible, Source


@dataclass(frozen=True)
class Entry:
    """One entry to be, dollars; ``owner_id`` None for the platform's accounts. ``balance`` is the account's before it,
    for show: it moves on, and is no part of what the plan's hash names."""

    account: A
    owner_id: int | None
    amount: Decimal
    balance: Decimal = NOTHING
    owner: str | None = None

    @property
    def after(self) -> Decimal:
        return self.balance + self.amount


@dataclass(frozen=True)
class Plan:
    """``amount`` dollars of ``source`` back to ``person_id``, by ``entries``. ``refunded`` and ``rest``: of the source,
    before this."""

    source: Source
    destination: Destination
    person_id: int
    amount: Decimal
    entries: tuple[Entry, ...]
    refunded: Decimal
    rest: Decimal
    reader_id: int | None = None
    reader_part: Decimal = NOTHING
    reading_session_id: int | None = None

    @property
    def hash(self) -> str:
        """The name of exactly these entries."""
        rows = [(entry.account.value, entry.owner_id, str(entry.amount)) for entry in self.entries]
        text = json.dumps([self.source.kind, self.source.id, self.person_id, str(self.amount), rows])
        return hashlib.sha256(text.encode()).hexdigest()

    def plain(self) -> list[dict[str, Any]]:
        """The entries as they are kept with the refund."""
        return [
            {
                "account": entry.account.value,
                "owner_id": entry.owner_id,
                "owner": entry.owner,
                "amount": str(entry.amount),
                "balance": str(entry.balance),
            }
            for entry in self.entries
        ]


def plan(source: Source, amount: Decimal) -> Plan:
    """What giving ``amount`` dollars of ``source`` back would book now. Nothing is locked: who books, locks first.

    Raises NotFound, Conflict where nothing of it can be given back, InvalidInput (``amount``) above the rest.
    """
    if source.kind == INVOICE:
        return _of_invoice(source, amount)
    return _to_card(source, amount) if source.kind == TOP_UP else _to_wallet(source, amount)


def rest_of(source: Source) -> Decimal:
    """What may still be given back, dollars. Raises NotFound, Conflict."""
    if source.kind == INVOICE:
        return refundable(_invoice(source)[0])
    return refundable(_top_up(source)) if source.kind == TOP_UP else reversals.of(source).rest


def refundable(payment: TopUp | SubscriptionInvoice) -> Decimal:
    """What of a payment may still go back to its card, dollars."""
    if payment.state != "paid" or payment.stripe_payment_intent_id is None:
        return NOTHING
    return max(payment.amount - payment.refunded_amount - payment.disputed_amount, NOTHING)


def _within(amount: Decimal, rest: Decimal) -> None:
    if amount <= 0:
        raise InvalidInput("amount", "The amount must be more than zero.")
    if rest <= 0:
        raise Conflict("All of it was given back before.")
    if amount > rest:
        raise InvalidInput("amount", f"At most ${rest} can be given back.")


def _to_wallet(source: Source, amount: Decimal) -> Plan:
    whole = reversals.of(source)
    _within(amount, whole.rest)
    reader_part = whole.reader_part(amount)
    rows = [(kind, whole.client_id, part) for kind, part in _to_client(whole, amount)]
    if whole.reader_id is not None and reader_part > 0:
        reader_id = whole.reader_id
        taken = earnings.preview_take_back(reader_id, reader_part, **own(source))
        rows += [(kind, reader_id, -part) for kind, part in taken]
    platform_rows = [(A.PLATFORM_REVENUE, None, reader_part - amount)] if amount > reader_part else []
    return Plan(
        source,
        Destination.WALLET,
        whole.client_id,
        amount,
        _entries([*rows, *platform_rows]),
        whole.refunded,
        whole.rest,
        whole.reader_id,
        reader_part,
        None if source.kind == TRANSACTION else source.id,
    )


def own(source: Source) -> dict[str, int]:
    """The earning that a source made, as ``earnings.take_back`` names it."""
    return {"transaction_id" if source.kind == TRANSACTION else "reading_session_id": source.id}


def _to_client(whole: Reversible, amount: Decimal) -> list[tuple[A, Decimal]]:
    """Cash as far as cash was paid; what promotional credit paid goes back as credit."""
    charged, returned = whole.total + whole.credited, whole.credited + whole.refunded
    return promotions.preview_give_back(whole.purpose, amount, charged=charged, returned=returned)


def _top_up(source: Source) -> TopUp:
    found = db.session.get(TopUp, source.id, populate_existing=True)
    if found is None:
        raise NotFound(f"There is no top-up {source.id}.")
    if found.state != "paid" or found.stripe_payment_intent_id is None:
        raise Conflict(f"Top-up {source.id} is {found.state}: only what was paid can go back to the card.")
    return found


def _to_card(source: Source, amount: Decimal) -> Plan:
    top_up = _top_up(source)
    rest = refundable(top_up)
    _within(amount, rest)
    cash = ledger.balance(A.CLIENT_WALLET, top_up.person_id)
    if amount > cash:
        raise InvalidInput(
            "amount",
            f"The wallet holds ${cash}; what was spent goes back to the wallet first, from its reading.",
        )
    return Plan(
        source,
        Destination.CARD,
        top_up.person_id,
        amount,
        _entries([(A.CLIENT_WALLET, top_up.person_id, -amount), (A.STRIPE_CLEARING, None, amount)]),
        top_up.refunded_amount,
        rest,
    )


def _invoice(source: Source) -> tuple[SubscriptionInvoice, int]:
    """The invoice, and who paid it."""
    found = db.session.execute(
        select(SubscriptionInvoice, Subscription.person_id)
        .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
        .where(SubscriptionInvoice.id == source.id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no invoice {source.id}.")
    invoice, person_id = found
    if invoice.transaction_id is None or invoice.stripe_payment_intent_id is None:
        raise Conflict(f"Nothing was paid for invoice {source.id}: it is {invoice.state}.")
    return invoice, person_id


def _of_invoice(source: Source, amount: Decimal) -> Plan:
    """What a plan cost was the platform's at once: the platform gives all of it back."""
    invoice, person_id = _invoice(source)
    rest = refundable(invoice)
    _within(amount, rest)
    rows: list[tuple[A, int | None, Decimal]] = [
        (A.PLATFORM_REVENUE, None, -amount),
        (A.STRIPE_CLEARING, None, amount),
    ]
    return Plan(source, Destination.CARD, person_id, amount, _entries(rows), invoice.refunded_amount, rest)


def _entries(rows: list[tuple[A, int | None, Decimal]]) -> tuple[Entry, ...]:
    """The rows with their accounts' balances and owners. Two statements at most."""
    owners = [owner_id for _, owner_id, _ in rows if owner_id is not None]
    found = db.session.execute(
        select(LedgerAccount.kind, LedgerAccount.owner_id, LedgerAccount.balance, Person.handle)
        .join(Person, Person.id == LedgerAccount.owner_id)
        .where(LedgerAccount.owner_id.in_(owners))
    ).all()
    balances = {(kind, owner_id): balance for kind, owner_id, balance, _ in found}
    handles = {owner_id: handle for _, owner_id, _, handle in found}
    return tuple(
        Entry(
            account,
            owner_id,
            amount,
            ledger.platform_balance(account)
            if account in PLATFORM_KINDS
            else balances.get((account.value, owner_id), NOTHING),
            None if owner_id is None else handles.get(owner_id),
        )
        for account, owner_id, amount in rows
    )
