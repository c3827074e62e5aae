"""A client's refunds and withdrawals as they see them, newest first, each state in words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.refunds import RefundState
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.models.refunds import Refund, Withdrawal

# (state in a word or two, what it means) by destination and state.
WORDS: dict[tuple[str, RefundState], tuple[str, str]] = {
    ("card", RefundState.REQUESTED): ("Being looked at", "A second person looks at it before it is made."),
    ("card", RefundState.APPROVED): ("Approved", "It has left your wallet and is being handed to Stripe."),
    ("card", RefundState.SENT): ("Sent", "Stripe has sent it to your bank, which has not confirmed it yet."),
    ("card", RefundState.SETTLED): ("Done", "Your bank shows it on the card within 5 to 10 days."),
    ("card", RefundState.FAILED): ("Did not go through", "The money is in your wallet again."),
    ("card", RefundState.DECLINED): ("Not made", "After a look at it, it was not made."),
    ("card", RefundState.CANCELLED): ("Not made", "The request for it was taken back."),
    ("wallet", RefundState.REQUESTED): ("Being looked at", "A second person looks at it before it is made."),
    ("wallet", RefundState.SETTLED): ("Done", "It is in your wallet."),
    ("wallet", RefundState.DECLINED): ("Not made", "After a look at it, it was not made."),
    ("wallet", RefundState.CANCELLED): ("Not made", "The request for it was taken back."),
}

# What was paid for a plan never was in the wallet.
OF_A_PLAN = {
    RefundState.APPROVED: ("Approved", "It is being handed to Stripe."),
    RefundState.FAILED: ("Did not go through", "Please write to us: we find another way."),
}


@dataclass(frozen=True)
class Shown:
    """A refund as its client sees it; ``reader_name`` where it is of a reading."""

    refund: Refund
    reader_name: str | None

    @property
    def title(self) -> str:
        return self._words[0]

    @property
    def detail(self) -> str:
        return self.refund.failure or self._words[1]

    @property
    def _words(self) -> tuple[str, str]:
        state = RefundState(self.refund.state)
        words = WORDS[self.refund.destination, state]
        return words if self.refund.subscription_invoice_id is None else OF_A_PLAN.get(state, words)


def of_person(person_id: int, limit: int, before: int | None = None) -> Sequence[Shown]:
    """At most ``limit`` refunds of the person, those older than the id ``before``. One statement."""
    query = (
        select(Refund, ReaderProfile.display_name)
        .outerjoin(ReadingSession, ReadingSession.id == Refund.reading_session_id)
        .outerjoin(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .where(Refund.person_id == person_id)
        .order_by(Refund.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Refund.id < before)
    return [Shown(*row) for row in db.session.execute(query)]


def withdrawals(
    person_id: int, limit: int, before: int | None = None
) -> list[tuple[Withdrawal, list[Refund]]]:
    """At most ``limit`` withdrawals of the person, those older than the id ``before``, each with its refunds. Two
    statements."""
    query = select(Withdrawal).where(Withdrawal.person_id == person_id)
    if before is not None:
        query = query.where(Withdrawal.id < before)
    found = db.session.scalars(query.order_by(Withdrawal.id.desc()).limit(limit)).all()
    parts = refunds_of([withdrawal.id for withdrawal in found])
    return [(withdrawal, parts[withdrawal.id]) for withdrawal in found]


def refunds_of(withdrawal_ids: Sequence[int]) -> defaultdict[int, list[Refund]]:
    """The refunds of withdrawals by the withdrawal's id, in the order they were made. One statement."""
    parts: defaultdict[int, list[Refund]] = defaultdict(list)
    query = select(Refund).where(Refund.withdrawal_id.in_(withdrawal_ids)).order_by(Refund.id)
    for refund in db.session.scalars(query.execution_options(populate_existing=True)):
        if refund.withdrawal_id is not None:
            parts[refund.withdrawal_id].append(refund)
    return parts
