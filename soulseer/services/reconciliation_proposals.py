"""What would mend a difference: a balanced entry that is legal by the declared list, or asking Stripe again.

As kept with the difference: {"action": "entry", "kind", "words", "reverses_id", "entries": [{"account", "owner_id",
"amount"}]}, amounts as strings of dollars; or {"action": "pull", "words", "top_up_id", "asked_at"}.
"""

from collections.abc import Iterable
from typing import Any

from soulseer.domain.accounts import CHART, AccountKind
from soulseer.domain.money import from_cents
from soulseer.domain.transfers import TransferKind, check_legal
from soulseer.services.reconciliation_facts import Facts, Movement, Side

Proposal = dict[str, Any]
# (account, its owner, cents)
Part = tuple[AccountKind, int | None, int]


def entry(
    kind: TransferKind, words: str, parts: Iterable[Part], *, reverses_id: int | None = None
) -> Proposal:
    """A movement to be approved. Raises TransferNotAllowed where the declared list does not have it."""
    rows = list(parts)
    check_legal(kind, [(account, cents) for account, _, cents in rows])
    return {
        "action": "entry",
        "kind": kind.value,
        "words": words,
        "reverses_id": reverses_id,
        "entries": [
            {"account": account.value, "owner_id": owner_id, "amount": str(from_cents(cents))}
            for account, owner_id, cents in rows
        ],
    }


def pull(words: str, top_up_id: int | None = None) -> Proposal:
    """Stripe is asked again, and what it says is booked by the ordinary way."""
    return {"action": "pull", "words": words, "top_up_id": top_up_id, "asked_at": None}


def against(
    facts: Facts, kind: TransferKind, other: AccountKind, owner_id: int | None, words: str
) -> Proposal:
    """Book what is missing on the clearing account, with ``other`` on the other side."""
    return entry(kind, words, [(AccountKind.STRIPE_CLEARING, None, -facts.gap), (other, owner_id, facts.gap)])


def take_back(movement: Movement, words: str) -> Proposal:
    """The movement the other way round."""
    parts = [
        part
        for side in movement.sides
        for part in _payable(side.account, side.owner_id, side.balance, -side.cents)
    ]
    return entry(TransferKind.ADJUSTMENT, words, parts, reverses_id=movement.id)


def from_person(facts: Facts, side: Side, words: str) -> Proposal:
    """Book the gap for the one whom the movement was about."""
    parts = _payable(side.account, side.owner_id, side.balance, facts.gap)
    return entry(TransferKind.ADJUSTMENT, words, [(AccountKind.STRIPE_CLEARING, None, -facts.gap), *parts])


_OWED = {
    AccountKind.CLIENT_WALLET: AccountKind.CLIENT_RECEIVABLE,
    AccountKind.CLIENT_PROMOTIONAL_CREDIT: AccountKind.CLIENT_RECEIVABLE,
    AccountKind.READER_EARNINGS_PENDING: AccountKind.READER_RECEIVABLE,
    AccountKind.READER_EARNINGS_AVAILABLE: AccountKind.READER_RECEIVABLE,
}


_BEYOND_DEBT = {
    AccountKind.CLIENT_RECEIVABLE: AccountKind.CLIENT_WALLET,
    AccountKind.READER_RECEIVABLE: AccountKind.READER_EARNINGS_AVAILABLE,
}


def _payable(account: AccountKind, owner_id: int | None, balance: int, cents: int) -> list[Part]:
    """What an account cannot pay any more is owed from then on: nobody's balance falls below its floor. What comes back
    beyond a debt is its owner's to spend: nobody is owed by what they owe."""
    floor = CHART[account].floor_cents
    if floor is not None and cents < 0 and balance + cents < floor:
        return [(_OWED[account], owner_id, cents)]
    if account not in _BEYOND_DEBT or cents < 0:
        return [(account, owner_id, cents)]
    to_debt = min(cents, max(-balance, 0))
    parts = [(account, owner_id, to_debt), (_BEYOND_DEBT[account], owner_id, cents - to_debt)]
    return [part for part in parts if part[2]]
