"""A session's states and its money in one order of time: what happened, what was charged, given back, written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import from_cents
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction, ReadingMinute
from soulseer.models.people import Person
from soulseer.models.readings import ReadingMessage, ReadingSession, ReadingSessionEvent

# A stretch of messages is counted, never read; beyond this only the sum is told.
MOST_MESSAGES = 5_000


@dataclass(frozen=True)
class Charge:
    """One paid minute, dollars. ``job_run_id`` None: charged by a call to the room."""

    minute: int
    at: datetime
    amount: Decimal
    reader_part: Decimal
    platform_part: Decimal
    job_run_id: int | None


@dataclass(frozen=True)
class Moment:
    """One line of the timeline, ``at`` its effective instant (UTC). Which fields are set depends on ``what``:

    ``event``: ``event`` and ``actor``; ``minutes``: ``charges``, ``amount`` (negative: it left the wallet);
    ``transaction``: ``transaction`` and ``amount`` (of the client's wallet); ``messages``: ``from_client``,
    ``from_reader``. ``paid_so_far``: charged less given back, dollars.
    """

    at: datetime
    what: str
    event: ReadingSessionEvent | None = None
    actor: str | None = None
    charges: tuple[Charge, ...] = ()
    transaction: LedgerTransaction | None = None
    amount: Decimal = Decimal("0.00")
    from_client: int = 0
    from_reader: int = 0
    paid_so_far: Decimal = Decimal("0.00")


@dataclass(frozen=True)
class Written:
    """When a message was sent and by which side; what it says is not read."""

    at: datetime
    by_client: bool


@dataclass(frozen=True)
class Facts:
    """All that is recorded of a session, each kind the oldest first: ``events`` and ``transactions`` as moments."""

    events: Sequence[Moment]
    charges: Sequence[Charge]
    transactions: Sequence[Moment]
    messages: Sequence[Written]

    @property
    def moves(self) -> list[ReadingSessionEvent]:
        """The events as they are recorded."""
        return [moment.event for moment in self.events if moment.event is not None]


def facts_of(session: ReadingSession) -> Facts:
    """Read all of it. Four statements."""
    return Facts(_events(session.id), _charges(session.id), _transactions(session.id), _messages(session))


def timeline(facts: Facts) -> list[Moment]:
    """All moments of a session, the oldest first."""
    bounds = [moment.at for moment in facts.events]
    moments = [
        *facts.events,
        *_stretches(facts.charges, bounds),
        *facts.transactions,
        *_conversation(facts.messages, bounds),
    ]
    # At one instant: first the move, then the money, then the words.
    rank = {"event": 0, "minutes": 1, "transaction": 2, "messages": 3}
    moments.sort(key=lambda moment: (moment.at, rank[moment.what], moment.event.id if moment.event else 0))
    return _with_sums(moments)


def _with_sums(moments: Iterable[Moment]) -> list[Moment]:
    paid = Decimal("0.00")
    result = []
    for moment in moments:
        paid -= moment.amount
        result.append(Moment(**{**vars(moment), "paid_so_far": paid}))
    return result


def _events(session_id: int) -> list[Moment]:
    rows = db.session.execute(
        select(ReadingSessionEvent, Person.handle)
        .outerjoin(Person, Person.id == ReadingSessionEvent.actor_id)
        .where(ReadingSessionEvent.reading_session_id == session_id)
        .order_by(ReadingSessionEvent.id)
    )
    return [Moment(event.effective_at, "event", event=event, actor=handle) for event, handle in rows]


def _charges(session_id: int) -> list[Charge]:
    rows = db.session.scalars(
        select(ReadingMinute)
        .where(ReadingMinute.reading_session_id == session_id)
        .order_by(ReadingMinute.minute)
    )
    return [charge_of(row) for row in rows]


def charge_of(row: ReadingMinute) -> Charge:
    """A paid minute in dollars."""
    return Charge(
        row.minute,
        row.charged_at,
        from_cents(row.amount_cents),
        from_cents(row.reader_cents),
        from_cents(row.platform_cents),
        row.job_run_id,
    )


def _stretches(charges: Sequence[Charge], bounds: Sequence[datetime]) -> list[Moment]:
    """Minutes with no event between them are one moment, at the first of them."""
    moments = []
    for stretch in _between(charges, bounds, lambda charge: charge.at):
        amount = -sum((charge.amount for charge in stretch), Decimal("0.00"))
        moments.append(Moment(stretch[0].at, "minutes", charges=tuple(stretch), amount=amount))
    return moments


def _between(items: Sequence[Any], bounds: Sequence[datetime], at: Any) -> list[list[Any]]:
    """``items`` in order of time, split wherever one of ``bounds`` lies between two of them."""
    ordered = sorted(bounds)
    stretches: dict[int, list[Any]] = {}
    for item in items:
        place = sum(1 for bound in ordered if bound <= at(item))
        stretches.setdefault(place, []).append(item)
    return list(stretches.values())


def _transactions(session_id: int) -> list[Moment]:
    """Ledger transactions about the session (the credit): what they did to the client's wallet."""
    rows = db.session.execute(
        select(LedgerTransaction, func.sum(LedgerEntry.amount))
        .outerjoin(
            LedgerEntry,
            (LedgerEntry.transaction_id == LedgerTransaction.id)
            & LedgerEntry.account_id.in_(
                select(LedgerAccount.id).where(LedgerAccount.kind == AccountKind.CLIENT_WALLET.value)
            ),
        )
        .where(LedgerTransaction.reading_session_id == session_id)
        .group_by(LedgerTransaction.id)
        .order_by(LedgerTransaction.id)
    )
    return [
        Moment(row.created_at, "transaction", transaction=row, amount=amount or Decimal("0.00"))
        for row, amount in rows
    ]


def _messages(session: ReadingSession) -> list[Written]:
    rows = db.session.execute(
        select(ReadingMessage.created_at, ReadingMessage.sender_id)
        .where(ReadingMessage.reading_session_id == session.id)
        .order_by(ReadingMessage.number)
        .limit(MOST_MESSAGES)
    )
    return [Written(at, sender_id == session.client_id) for at, sender_id in rows]


def _conversation(messages: Sequence[Written], bounds: Sequence[datetime]) -> list[Moment]:
    """How many messages each side wrote in each stretch; never what they say."""
    moments = []
    for stretch in _between(messages, bounds, lambda message: message.at):
        from_client = sum(message.by_client for message in stretch)
        moments.append(
            Moment(stretch[0].at, "messages", from_client=from_client, from_reader=len(stretch) - from_client)
        )
    return moments
