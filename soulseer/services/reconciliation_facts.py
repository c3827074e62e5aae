"""What is known on either side about differences, read for a batch of them at once: a handful of statements a batch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import String, cast, func, or_, select, text

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import CURRENCY, from_cents
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from soulseer.models.payments import TopUp
from soulseer.models.reconciliation import ReconciliationDifference, StripeBalanceTransaction
from soulseer.services.reconciliation_booking import FEE_TYPES

# More than these tell nothing more about one reference.
MOST = 20


@dataclass(frozen=True)
class Side:
    """An entry of one of our movements, cents."""

    account: AccountKind
    owner_id: int | None
    balance: int
    cents: int


@dataclass(frozen=True)
class Movement:
    """A ledger transaction on the clearing account; ``cents``: what it says came to Stripe."""

    id: int
    kind: str
    at: datetime
    sides: tuple[Side, ...]

    @property
    def cents(self) -> int:
        return -sum(side.cents for side in self.sides if side.account is AccountKind.STRIPE_CLEARING)

    @property
    def dollars(self) -> Decimal:
        return from_cents(self.cents)


@dataclass(frozen=True)
class Line:
    """A line of Stripe's balance, cents."""

    id: str
    type: str
    cents: int
    fee: int
    at: datetime
    source: str | None
    reference: str
    facts: Mapping[str, Any]

    @property
    def dollars(self) -> Decimal:
        return from_cents(self.cents)

    @property
    def fee_dollars(self) -> Decimal:
        return from_cents(self.fee)


@dataclass
class Facts:
    """All that is known about one difference. ``held``: events about it in the inbox that nothing has come of yet."""

    reference: str
    ours: int
    theirs: int
    movements: list[Movement] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    top_up: TopUp | None = None
    reader_id: int | None = None
    held: list[str] = field(default_factory=list)
    # Of our movements those that Stripe is still to be told of: a sweep tries until it is done or refused.
    under_way: set[int] = field(default_factory=set)
    # Whether a payout of ours made the transfer, and its sweep is still to record so.
    awaited: bool = False

    @property
    def gap(self) -> int:
        """Stripe's cents less ours."""
        return self.theirs - self.ours

    @property
    def of_a_fee(self) -> bool:
        """Whether the difference is about what a line cost, not about what it moved."""
        if self.lines:
            return any(
                line.id == self.reference and (line.reference != line.id or line.type in FEE_TYPES)
                for line in self.lines
            )
        return any(movement.kind == "processor_fee" for movement in self.movements)


# Events that wait, failed or were set aside, with the one of our references that their text names.
_HELD = text("""
SELECT name, event_id || ' (' || type || ', ' || status || coalesce(': ' || error, '') || ')' AS words
FROM unnest(CAST(:names AS text[])) AS name
    JOIN webhook_event ON position(convert_to('"' || name || '"', 'UTF8') IN payload) > 0
WHERE vendor = 'stripe' AND (status IN ('received', 'failed') OR status = 'quarantined')
ORDER BY webhook_event.id LIMIT 200
""")


def gather(differences: Sequence[ReconciliationDifference]) -> dict[str, Facts]:
    """The facts of each difference by its reference."""
    found = {
        row.reference: Facts(row.reference, _cents(row.ledger_amount), _cents(row.stripe_amount))
        for row in differences
    }
    _add_lines(found)
    by_name = {name: facts for facts in found.values() for name in names(facts)}
    _add_movements(found, by_name)
    _add_top_ups(found.values())
    _add_readers(found.values())
    _add_under_way(found.values())
    _add_awaited(found.values())
    for name, words in db.session.execute(_HELD, {"names": sorted(by_name)}):
        by_name[name].held.append(words)
    return found


def sides_of(row: ReconciliationDifference) -> Facts:
    """What bears one difference's reference on either side, and no more. Two statements."""
    found = {row.reference: Facts(row.reference, _cents(row.ledger_amount), _cents(row.stripe_amount))}
    _add_lines(found)
    _add_movements(found, {name: facts for facts in found.values() for name in names(facts)})
    return found[row.reference]


def names(facts: Facts) -> set[str]:
    """The reference, and what Stripe calls its sources; a fee is its line's alone."""
    if facts.of_a_fee:
        return {facts.reference}
    return {facts.reference, *(line.source for line in facts.lines if line.source)}


def _add_lines(found: Mapping[str, Facts]) -> None:
    row = StripeBalanceTransaction
    references = list(found)
    rows = db.session.scalars(
        select(row)
        .where(or_(row.reference.in_(references), row.stripe_id.in_(references)), row.currency == CURRENCY)
        .order_by(row.created, row.id)
    )
    for each in rows:
        line = Line(
            each.stripe_id,
            each.type,
            _cents(each.amount),
            _cents(each.fee),
            each.created,
            each.source,
            each.reference,
            each.source_facts,
        )
        for name in {each.reference, each.stripe_id} & found.keys():
            if len(found[name].lines) < MOST:
                found[name].lines.append(line)


def _add_movements(found: Mapping[str, Facts], names: Mapping[str, Facts]) -> None:
    numbers = [int(name.partition(":")[2]) for name in found if name.startswith("transaction:")]
    transaction = LedgerTransaction
    rows = db.session.execute(
        select(
            transaction.id,
            transaction.kind,
            transaction.created_at,
            func.coalesce(
                transaction.stripe_reference,
                "transaction:" + cast(func.coalesce(transaction.reverses_id, transaction.id), String),
            ),
            LedgerAccount.kind,
            LedgerAccount.owner_id,
            LedgerAccount.balance,
            LedgerEntry.amount,
        )
        .join(LedgerEntry, LedgerEntry.transaction_id == transaction.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            or_(
                transaction.stripe_reference.in_(list(names)),
                transaction.stripe_reference.is_(None)
                & or_(transaction.id.in_(numbers), transaction.reverses_id.in_(numbers)),
            )
        )
        .order_by(transaction.id, LedgerEntry.id)
    )
    sides: dict[tuple[int, str, datetime, str], list[Side]] = defaultdict(list)
    for number, kind, at, reference, account, owner_id, balance, amount in rows:
        side = Side(AccountKind(account), owner_id, _cents(balance), _cents(amount))
        sides[number, kind, at, reference].append(side)
    for (number, kind, at, reference), parts in sides.items():
        facts = names.get(reference)
        on_clearing = any(part.account is AccountKind.STRIPE_CLEARING for part in parts)
        if facts is None or (kind == "processor_fee" and facts.lines and not facts.of_a_fee):
            continue
        if on_clearing and len(facts.movements) < MOST:
            facts.movements.append(Movement(number, kind, at, tuple(parts)))


def _add_top_ups(all_facts: Iterable[Facts]) -> None:
    """The top-up that a reference pays or takes back: by its payment intent, else by our own name in the metadata."""
    by_intent: dict[str, list[Facts]] = defaultdict(list)
    by_number: dict[int, list[Facts]] = defaultdict(list)
    for facts in all_facts:
        by_intent[facts.reference].append(facts)
        for line in facts.lines:
            by_intent[line.facts.get("payment_intent", "")].append(facts)
            number = _number(line, "top_up_id")
            if number is not None:
                by_number[number].append(facts)
    rows = db.session.scalars(
        select(TopUp).where(
            or_(TopUp.stripe_payment_intent_id.in_(list(by_intent)), TopUp.id.in_(list(by_number)))
        )
    ).all()
    for top_up in rows:
        for facts in by_number.get(top_up.id, []):
            facts.top_up = top_up
    for top_up in rows:
        for facts in by_intent.get(top_up.stripe_payment_intent_id or "-", []):
            facts.top_up = top_up


def _add_readers(all_facts: Iterable[Facts]) -> None:
    """The reader whose account at Stripe a transfer went to."""
    accounts: dict[str, list[Facts]] = defaultdict(list)
    for facts in all_facts:
        for line in facts.lines:
            if line.facts.get("destination"):
                accounts[line.facts["destination"]].append(facts)
    if not accounts:
        return
    rows = db.session.execute(
        text(
            "SELECT stripe_account_id, person_id FROM payout_account WHERE stripe_account_id = ANY(:accounts)"
        ),
        {"accounts": list(accounts)},
    )
    for account, person_id in rows:
        for facts in accounts[account]:
            facts.reader_id = person_id


_UNDER_WAY = text(
    "SELECT transaction_id FROM refund WHERE state IN ('approved', 'sent') AND transaction_id = ANY(:transactions)"
)


def _add_under_way(all_facts: Iterable[Facts]) -> None:
    by_transaction = {movement.id: facts for facts in all_facts for movement in facts.movements}
    for number in db.session.scalars(_UNDER_WAY, {"transactions": list(by_transaction)}):
        by_transaction[number].under_way.add(number)


_OPEN_PAYOUTS = text("SELECT id FROM payout WHERE state = 'open' AND id = ANY(:payouts)")


def _add_awaited(all_facts: Iterable[Facts]) -> None:
    by_payout = {
        number: facts for facts in all_facts for line in facts.lines if (number := _number(line, "payout_id"))
    }
    if by_payout:
        for number in db.session.scalars(_OPEN_PAYOUTS, {"payouts": list(by_payout)}):
            by_payout[number].awaited = True


def _number(line: Line, name: str) -> int | None:
    """One of our own ids in a line's metadata."""
    value = str(line.facts.get("metadata", {}).get(name, ""))
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def _cents(amount: Any) -> int:
    return int(amount * 100)
