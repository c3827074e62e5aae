"""How a session stood at any second: state, time paid, who was there, and both balances, from events and the ledger."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain.money import from_cents
from soulseer.domain.readings import PauseCause, Role, State
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction, ReadingMinute
from soulseer.models.readings import ReadingSession, ReadingSessionEvent
from soulseer.services.console_timeline import Charge, Facts

NOTHING = Decimal("0.00")
MINUTE = timedelta(minutes=1)
# Movements of both accounts within one session; beyond this the balances would not be told at all.
MOST_MOVEMENTS = 5_000
AWAY = {
    PauseCause.CLIENT_LEFT.value: (Role.CLIENT,),
    PauseCause.CLIENT_DROPPED.value: (Role.CLIENT,),
    PauseCause.READER_LEFT.value: (Role.READER,),
    PauseCause.READER_DROPPED.value: (Role.READER,),
    PauseCause.PLATFORM.value: (Role.CLIENT, Role.READER),
}
_wallet, _earnings = aliased(LedgerAccount), aliased(LedgerAccount)


@dataclass(frozen=True)
class Standing:
    """From ``at`` on, until the next one. ``wallet`` and ``earnings`` (pending) are the accounts' balances, dollars;
    ``paid_until`` None: nothing runs, and ``kept`` is the paid time that waits. ``client`` and ``reader``: whether the
    room had them, ``not yet``, ``here``, ``away`` or ``gone``. ``change`` says what made it so."""

    at: datetime
    change: str
    state: str
    paid_until: datetime | None
    kept: timedelta
    minutes: int
    wallet: Decimal
    earnings: Decimal
    client: str
    reader: str


@dataclass(frozen=True)
class Move:
    """What else moved one of the two accounts while the session lasted; ``wallet`` or ``earnings`` rose by it, dollars."""

    at: datetime
    kind: str
    transaction_id: int
    session_id: int | None
    wallet: Decimal = NOTHING
    earnings: Decimal = NOTHING


@dataclass(frozen=True)
class Balances:
    """Of both accounts as the session was asked for, and what moved them until ``until`` but for its own minutes."""

    wallet: Decimal
    earnings: Decimal
    moves: Sequence[Move]


def balances(session: ReadingSession, until: datetime) -> Balances:
    """Both accounts' balances when the session was asked for, and their movements since. Two statements.

    Counted back from the balances of now, in one statement, so that it holds while the session goes on being charged.
    """
    row = db.session.execute(_opening(session)).one()
    wallet = row.wallet + from_cents(int(row.paid or 0)) - (row.wallet_moved or NOTHING)
    earnings = row.earnings - from_cents(int(row.earned or 0)) - (row.earnings_moved or NOTHING)
    found: Any = db.session.execute(
        select(LedgerEntry.account_id, LedgerEntry.amount, LedgerTransaction)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(
            LedgerEntry.account_id.in_((session.client_account_id, session.reader_account_id)),
            # What stands at the very instant of the request was there before it: a request moves no money.
            LedgerTransaction.created_at > session.created_at,
            LedgerTransaction.created_at <= until,
        )
        .order_by(LedgerEntry.id)
        .limit(MOST_MOVEMENTS)
    )
    moves = [
        Move(
            booked.created_at,
            booked.kind,
            booked.id,
            booked.reading_session_id,
            **{"wallet" if account_id == session.client_account_id else "earnings": amount},
        )
        for account_id, amount, booked in found
    ]
    return Balances(wallet, earnings, moves)


def _opening(session: ReadingSession) -> Select:
    """Balances of now, and what moved them since: later sessions of a person have higher numbers, as nobody is in two."""
    client, reader = (
        ReadingSession.client_id == session.client_id,
        ReadingSession.reader_id == session.reader_id,
    )
    return (
        select(
            _wallet.balance.label("wallet"),
            _earnings.balance.label("earnings"),
            _minutes(ReadingMinute.amount_cents, client, session.id).label("paid"),
            _minutes(ReadingMinute.reader_cents, reader, session.id).label("earned"),
            _entries(session.client_account_id, session.created_at).label("wallet_moved"),
            _entries(session.reader_account_id, session.created_at).label("earnings_moved"),
        )
        .select_from(_wallet)
        .join(_earnings, _earnings.id == session.reader_account_id)
        .where(_wallet.id == session.client_account_id)
    )


def _minutes(cents: Any, whose: ColumnElement[bool], first: int) -> Any:
    return (
        select(func.sum(cents))
        .join(ReadingSession, ReadingSession.id == ReadingMinute.reading_session_id)
        .where(whose, ReadingSession.id >= first)
        .scalar_subquery()
    )


def _entries(account_id: int, since: datetime) -> Any:
    return (
        select(func.sum(LedgerEntry.amount))
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(LedgerEntry.account_id == account_id, LedgerTransaction.created_at > since)
        .scalar_subquery()
    )


def standings(session: ReadingSession, facts: Facts, money: Balances) -> list[Standing]:
    """Every change of how the session stood, the oldest first; never empty. No statement."""
    changes: list[tuple[datetime, int, ReadingSessionEvent | Charge | Move]] = [
        *((event.effective_at, 0, event) for event in facts.moves),
        *((charge.at, 1, charge) for charge in facts.charges),
        *((move.at, 2, move) for move in money.moves),
    ]
    changes.sort(key=lambda change: change[:2])
    now = Standing(
        session.created_at,
        "asked for",
        State.CREATED.value,
        None,
        timedelta(0),
        0,
        money.wallet,
        money.earnings,
        "not yet",
        "not yet",
    )
    found = [now]
    for at, _, change in changes:
        if isinstance(change, ReadingSessionEvent):
            now = _moved(now, change)
        elif isinstance(change, Charge):
            now = _charged(now, change)
        else:
            words = change.kind.replace("_", " ")
            now = replace(
                now,
                change=words,
                wallet=now.wallet + change.wallet,
                earnings=now.earnings + change.earnings,
            )
        now = replace(now, at=max(at, found[-1].at))
        found.append(now)
    return found


def _charged(before: Standing, charge: Charge) -> Standing:
    # A minute that is charged after the pause it belongs before adds to what waits.
    paid_until, kept = before.paid_until, before.kept
    if paid_until is None:
        kept += MINUTE
    else:
        paid_until += MINUTE
    return replace(
        before,
        change=f"minute {charge.minute} charged",
        minutes=before.minutes + 1,
        wallet=before.wallet - charge.amount,
        earnings=before.earnings + charge.reader_part,
        paid_until=paid_until,
        kept=kept,
    )


def _moved(before: Standing, event: ReadingSessionEvent) -> Standing:
    paid_until, kept = before.paid_until, before.kept
    if event.to_state == State.ACTIVE and event.from_state != State.ACTIVE:
        paid_until, kept = event.effective_at + kept, timedelta(0)
    elif event.from_state == State.ACTIVE and event.to_state != State.ACTIVE and paid_until is not None:
        kept = paid_until - event.effective_at
        paid_until = None
    words = event.action.replace("_", " ")
    return replace(
        before,
        change=f"{words}, {event.cause.replace('_', ' ')}" if event.cause else words,
        state=event.to_state,
        paid_until=paid_until,
        kept=kept,
        client=_presence(before.client, Role.CLIENT, event),
        reader=_presence(before.reader, Role.READER, event),
    )


def _presence(before: str, role: Role, event: ReadingSessionEvent) -> str:
    """By the room's own moves; finer evidence is what the pages measured and what Agora told."""
    if event.to_state in (State.ENDED, State.FINALIZED):
        return "not yet" if before == "not yet" else "gone"
    if event.to_state == State.PAUSED and event.from_state != State.PAUSED:
        return "away" if role in AWAY.get(event.cause or "", ()) else before
    if event.to_state == State.ACTIVE:
        return "here"
    came = event.action in ("join", "reconnect") and event.actor_role == role
    return "here" if came else before


def standing_at(found: Sequence[Standing], at: datetime) -> Standing:
    """How it stood at ``at``; before the first change, the first."""
    return found[max(0, bisect.bisect_right(found, at, key=lambda one: one.at) - 1)]
