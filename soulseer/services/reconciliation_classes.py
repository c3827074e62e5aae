"""What kind of difference it is, what explains it, and what would mend it; from the facts alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.money import from_cents
from soulseer.domain.transfers import TransferKind
from soulseer.services.reconciliation_facts import MOST, Facts, Line, Movement, Side
from soulseer.services.reconciliation_proposals import (
    Proposal,
    against,
    from_person,
    pull,
    take_back,
)

# So long the other side may be on its way: an event in the queue, a call whose answer was lost and is asked again.
SETTLING = timedelta(hours=1)
PERSONAL = (
    A.CLIENT_WALLET,
    A.CLIENT_RECEIVABLE,
    A.READER_EARNINGS_AVAILABLE,
    A.READER_EARNINGS_PENDING,
    A.READER_RECEIVABLE,
)


@dataclass(frozen=True)
class Finding:
    """A class of DIFFERENCE_CLASSES, what explains the difference, and what would mend it."""

    name: str
    words: str
    proposal: Proposal | None


def classify(facts: Facts, now: datetime, *, asked: bool = False) -> Finding:
    """``asked``: Stripe was asked again about it before, and it is still there."""
    if facts.of_a_fee:
        return _fee(facts)
    ours, theirs = _left_over(facts)
    instants = [movement.at for movement in ours] + [line.at for line in theirs]
    if not instants:
        words = f"More than {MOST} movements bear this reference; look at them one by one."
        return Finding("unexplained", words, None)
    young = now - max(instants) < SETTLING
    if ours and theirs:
        words = f"Stripe moved {_dollars(facts.theirs)}, the books say {_dollars(facts.ours)}."
        return Finding("amount", words, _for_person(facts))
    if ours:
        return _ours_only(facts, ours, young)
    return _theirs_only(facts, theirs, young, asked)


def _left_over(facts: Facts) -> tuple[list[Movement], list[Line]]:
    """The movements and the lines that are left once those of the same cents have been laid side by side."""
    theirs = list(facts.lines)
    ours = []
    for movement in facts.movements:
        same = next((line for line in theirs if line.cents == movement.cents), None)
        if same is None:
            ours.append(movement)
        else:
            theirs.remove(same)
    return ours, theirs


def _dollars(cents: int) -> str:
    return f"${from_cents(abs(cents))}"


def _fee(facts: Facts) -> Finding:
    if not facts.lines:
        words = (
            f"The books have a fee of {_dollars(facts.ours)} on {facts.reference}; Stripe has no such line."
        )
    else:
        words = f"Stripe took a fee of {_dollars(facts.theirs)}, the books say {_dollars(facts.ours)}."
    mended = against(
        facts, TransferKind.PROCESSOR_FEE, A.PROCESSOR_FEES, None, "Book the fee as Stripe has it."
    )
    return Finding("fee", words, mended)


def _ours_only(facts: Facts, left: list[Movement], young: bool) -> Finding:
    movement = left[-1]
    what = f"{movement.kind.replace('_', ' ')} of {_dollars(movement.cents)} (transaction {movement.id})"
    same = [one for one in facts.movements if (one.kind, one.cents) == (movement.kind, movement.cents)]
    waits = movement.id in facts.under_way
    back = None
    if movement.cents == -facts.gap:
        back = take_back(movement, f"Take back transaction {movement.id}, which did not happen at Stripe.")
    if len(same) > 1 and not waits and (movement.cents > 0 or not young):
        words = f"The books have a {what} {len(same)} times, Stripe {len(same) - len(left)}."
        return Finding("duplicate", words, back)
    if young or waits:
        return Finding("timing", f"The books have a {what}; Stripe is still to do or list it.", None)
    return Finding("unexplained", f"The books have a {what}; Stripe knows nothing of it.", back)


def _theirs_only(facts: Facts, left: list[Line], young: bool, asked: bool) -> Finding:
    types = {line.type for line in left}
    amount = _dollars(sum(line.cents for line in left))
    if types == {"transfer"} and not facts.movements and not facts.awaited:
        return _orphan(facts, amount)
    if young or facts.awaited:
        words = f"Stripe moved {amount} ({_named(types)}); word of it is on its way."
        return Finding("timing", words, None)
    if types <= {"charge", "payment"}:
        return _payment(facts, amount, asked)
    known = {"refund", "payment_refund", "refund_failure", "payment_failure_refund", "adjustment"}
    if types & known or any(each.startswith("transfer") for each in types):
        return _unheard(
            facts, f"Stripe moved {amount} ({_named(types)}); the books know nothing of it.", asked
        )
    words = f"Stripe moved {amount} ({_named(types)}); nothing here tells what it was."
    return Finding("unexplained", words, _on_the_house(facts))


def _named(types: set[str]) -> str:
    return ", ".join(sorted(types)).replace("_", " ")


def _held(facts: Facts) -> str:
    if not facts.held:
        return " No event about it was acted on."
    return f" In the inbox: {'; '.join(facts.held)[:400]}."


def _on_the_house(facts: Facts) -> Proposal:
    words = "Book it to the platform, since it is nobody's that is known."
    return against(facts, TransferKind.ADJUSTMENT, A.PLATFORM_REVENUE, None, words)


def _orphan(facts: Facts, amount: str) -> Finding:
    where = next(
        (line.facts["destination"] for line in facts.lines if line.facts.get("destination")), "an account"
    )
    words = f"Stripe sent {amount} to {where}; no payout of ours did."
    if facts.reader_id is None:
        return Finding("orphan_transfer", words, _on_the_house(facts))
    owed = "The reader has it and owes it: it is offset against what the reader earns."
    mended = against(facts, TransferKind.ADJUSTMENT, A.READER_RECEIVABLE, facts.reader_id, owed)
    return Finding("orphan_transfer", words, mended)


def _payment(facts: Facts, amount: str, asked: bool) -> Finding:
    top_up = facts.top_up
    if facts.movements:
        words = f"Stripe took {amount} a second time under {facts.reference}."
        return Finding("duplicate", words, _for_person(facts))
    if top_up is not None and top_up.state == "paid" and top_up.stripe_payment_intent_id != facts.reference:
        words = f"{amount} was paid a second time for top-up {top_up.id}, which {top_up.stripe_payment_intent_id} paid."
        credit = (
            "Put the second payment into the wallet; give it back to the card from there if the client asks."
        )
        mended = against(facts, TransferKind.ADJUSTMENT, A.CLIENT_WALLET, top_up.person_id, credit)
        return Finding("duplicate", words, mended)
    if top_up is None:
        words = f"Stripe took {amount}; no top-up of ours asked for it.{_held(facts)}"
        if asked or not facts.held:
            return Finding("missing_webhook", words, _on_the_house(facts))
        return Finding("missing_webhook", words, pull("Act on the events again."))
    words = f"Stripe took {amount} for top-up {top_up.id}, which is {top_up.state} here.{_held(facts)}"
    again = "Ask Stripe about this top-up; what it says is paid is credited as its webhook would have."
    return Finding("missing_webhook", words, pull(again, top_up.id))


def _unheard(facts: Facts, words: str, asked: bool) -> Finding:
    """A refund, a dispute or a reversal that Stripe has told of in vain."""
    words += _held(facts)
    if not asked:
        return Finding("missing_webhook", words, pull("Ask Stripe for its events again, and act on them."))
    if facts.top_up is None:
        return Finding("missing_webhook", words, _on_the_house(facts))
    mended = "Asking again changed nothing: book it for the client, as owed or given back."
    # What comes back goes to the wallet, which pays what is owed: it may have been paid meanwhile.
    other = A.CLIENT_WALLET if facts.gap > 0 else A.CLIENT_RECEIVABLE
    return Finding(
        "missing_webhook",
        words,
        against(facts, TransferKind.ADJUSTMENT, other, facts.top_up.person_id, mended),
    )


def _for_person(facts: Facts) -> Proposal:
    side = _person_in(facts.movements)
    if side is None:
        return _on_the_house(facts)
    more = facts.gap > 0
    words = (
        "Give the person what Stripe has more." if more else "Take from the person what Stripe does not have."
    )
    return from_person(facts, side, words)


def _person_in(movements: list[Movement]) -> Side | None:
    """The personal account of the newest movement that has one."""
    for movement in reversed(movements):
        for kind in PERSONAL:
            for side in movement.sides:
                if side.account is kind and side.owner_id is not None:
                    return side
    return None
