"""Requesting a reading and the moves of its participants (design §4). Doors open the transaction."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm.util import identity_key

from soulseer.db import Read, db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import (
    AlreadyLive,
    InsufficientFunds,
    InvalidInput,
    NotFound,
    NotParticipant,
    SpendingFrozen,
    TooManyReconnects,
)
from soulseer.domain.money import CURRENCY, share_of, to_cents
from soulseer.domain.readings import Action, EndReason, Modality, Role, State, next_state
from soulseer.gateways.presence import Signs
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import LiveParticipant, ReadingSession
from soulseer.services import (
    billing_stops,
    ceilings,
    crisis_consent,
    free_minutes,
    holds,
    ledger,
    promotions,
    ringing,
    waiting,
)
from soulseer.services.ringing_requests import free_of_stale_readings, offered_rate
from soulseer.services.settling import (
    MICROSECOND,
    charge_until,
    finish,
    instant_for,
    left_cause,
    lock,
    pause,
    record,
    refuse_if_over,
    settle,
)

ENDED_BY = {
    Role.CLIENT: EndReason.CLIENT_ENDED,
    Role.READER: EndReason.READER_ENDED,
    Role.STAFF: EndReason.STAFF_ENDED,
}


@dataclass(frozen=True)
class Caller:
    """Who calls: a participant (or staff, the system) of the session."""

    role: Role
    person_id: int | None = None


# Built once: every call to a room begins with it.
_FIND = select(ReadingSession).where(ReadingSession.id == bindparam("session"))


def find(session_id: int) -> ReadingSession:
    """The session, unlocked. Raises NotFound."""
    if identity_key(ReadingSession, session_id) in db.session.identity_map:
        session = db.session.get(ReadingSession, session_id)
    else:
        session = db.session.scalars(_FIND, {"session": session_id}).one_or_none()
    if session is None:
        raise NotFound(f"There is no reading {session_id}.")
    return session


_columns: Any = tuple(
    attribute.columns[0].label(attribute.key) for attribute in ReadingSession.__mapper__.column_attrs
)
_GLANCE = Read(select(*_columns).where(ReadingSession.__table__.c.id == bindparam("session")))


def glance(session_id: int) -> ReadingSession:
    """The session as it stands, to look at only: no row of the ORM's, so that nothing done to it is ever written.

    Raises NotFound.
    """
    row = _GLANCE.first({"session": session_id})
    if row is None:
        raise NotFound(f"There is no reading {session_id}.")
    return looked_at(row._asdict())


def looked_at(values: dict[str, Any]) -> ReadingSession:
    """A session of these values that no database session knows. Filled as the ORM fills what it loads: setting each
    attribute takes longer than reading them all."""
    session: ReadingSession = ReadingSession.__mapper__.class_manager.new_instance()
    session.__dict__.update(values)
    return session


def caller_of(session: ReadingSession, person_id: int) -> Caller:
    """The person as a participant. Raises NotParticipant for anybody else."""
    role = session.role_of(person_id)
    if role is None:
        raise NotParticipant
    return Caller(role, person_id)


def request(
    client_id: int, slug: str, modality: str, now: datetime, ceiling: ceilings.Ceiling | None = None
) -> ReadingSession:
    """Ring a reader: one transaction, nothing left of it when refused.

    Raises InvalidInput (unknown reader or modality, oneself, a ceiling below the least reading), ReaderUnavailable, AlreadyLive, InsufficientFunds,
    SpendingFrozen, BillingStopped.
    """
    if modality not in list(Modality):
        raise InvalidInput("modality", "Choose text, voice or video.")
    reader = db.session.scalar(select(ReaderProfile).where(ReaderProfile.slug == slug))
    if reader is None or not reader.listed or reader.status != "verified":
        raise InvalidInput("reader", "There is no such reader.")
    if reader.person_id == client_id:
        raise InvalidInput("reader", "You cannot read for yourself.")
    billing_stops.refuse_if_stopped()
    rate = offered_rate(reader, modality, client_id)
    free_of_stale_readings(client_id, reader.person_id, now)
    policy = policies.current().reading
    wallet = ledger.lock_account(AccountKind.CLIENT_WALLET, client_id)
    # Asked under the lock of the wallet, which whoever takes money back holds as well.
    holds.refuse_if_frozen(client_id)
    needed = rate * policy.minimum_minutes
    spendable = promotions.holding_of_wallet(wallet.id, now).spendable
    if spendable < needed:
        raise InsufficientFunds(needed - spendable)
    rate_cents = to_cents(rate)
    session = ReadingSession(
        client_id=client_id,
        reader_id=reader.person_id,
        client_account_id=wallet.id,
        reader_account_id=ledger.account_id(AccountKind.READER_EARNINGS_PENDING, reader.person_id),
        created_at=now,
        ring_until=now + policy.ring,
        free_minutes=free_minutes.offered(reader, client_id),
        rate_cents=rate_cents,
        reader_rate_cents=share_of(rate_cents, policy.reader_share),
        minutes_billed=0,
        minimum_minutes=policy.minimum_minutes,
        reader_share=policy.reader_share,
        state=State.CREATED.value,
        modality=modality,
        channel=uuid.uuid4().hex,
        currency=CURRENCY,
    )
    ceilings.begin(session, ceiling)
    db.session.add(session)
    db.session.flush()
    _claim_participants(session)
    waiting.admit(client_id, session.reader_id, now)
    record(session, Action.REQUEST, None, now, now, role=Role.CLIENT, actor_id=client_id)
    before = session.state
    session.state = next_state(State(before), Action.OPEN).value
    db.session.flush()
    record(session, Action.OPEN, before, now, now, role=Role.SYSTEM)
    ringing.begun(session, now)
    return session


def _claim_participants(session: ReadingSession) -> None:
    """Neither side may be in another live session, in whichever role. Raises AlreadyLive."""
    people = sorted([session.client_id, session.reader_id])
    claimed = db.session.scalars(
        upsert(LiveParticipant)
        .values([{"person_id": person, "reading_session_id": session.id} for person in people])
        .on_conflict_do_nothing()
        .returning(LiveParticipant.person_id)
    ).all()
    if len(claimed) != 2:
        busy = "You are" if session.client_id not in claimed else "The reader is"
        raise AlreadyLive(f"{busy} already in another reading.")


def join(session_id: int, caller: Caller, now: datetime, signs: Signs) -> ReadingSession:
    """Come into the room. The second one in starts the first minute, which is charged in the same transaction;
    after a reconnect, both seen brings the session back to active. Repeats do nothing.

    Raises RingOver, GraceOver, IllegalMove, InsufficientFunds.
    """
    session = lock(session_id)
    at = instant_for(session, now)
    settle(session, at, signs, caller=caller.role)
    refuse_if_over(session, Action.JOIN)
    if session.state == State.WAITING:
        _join_waiting(session, caller, at, signs)
    elif session.state == State.RECONNECTING:
        if _other_is_there(session, caller.role, now, signs) and crisis_consent.given(
            session, caller.person_id
        ):
            _resume(session, caller, at)
    elif session.state != State.ACTIVE:
        next_state(State(session.state), Action.JOIN)
    return session


def _join_waiting(session: ReadingSession, caller: Caller, at: datetime, signs: Signs) -> None:
    first_time = _joined_at(session, caller.role) is None
    if caller.role is Role.CLIENT:
        session.client_joined_at = session.client_joined_at or at
    else:
        session.reader_joined_at = session.reader_joined_at or at
    other = Role.READER if caller.role is Role.CLIENT else Role.CLIENT
    if _joined_at(session, other) is None or not _other_is_there(session, caller.role, at, signs):
        if first_time:
            record(session, Action.JOIN, session.state, at, at, role=caller.role, actor_id=caller.person_id)
        return
    _end_if_frozen(session, caller, at)
    free_minutes.grant_for(session, at)
    before = session.state
    session.state = next_state(State(before), Action.ACTIVATE).value
    session.activated_at = session.active_since = session.covered_until = session.paid_until = at
    charge_until(session, at, at + MICROSECOND, at)
    if session.minutes_billed == 0:
        billing_stops.refuse_if_stopped()
        if caller.role is Role.CLIENT:
            held = promotions.holding_of_wallet(session.client_account_id, at)
            raise InsufficientFunds(session.rate - held.spendable)
        # What the client holds is not the reader's to know.
        raise InsufficientFunds(session.rate)
    record(session, Action.JOIN, before, at, at, role=caller.role, actor_id=caller.person_id)


def _end_if_frozen(session: ReadingSession, caller: Caller, at: datetime) -> None:
    """No reading begins or goes on while its client's spending is stopped. Raises SpendingFrozen."""
    reason = holds.spending_frozen(session.client_id)
    if reason is None:
        return
    finish(session, at, at, EndReason.SYSTEM_ENDED)
    # Why is the client's own business.
    raise SpendingFrozen(
        reason if caller.role is Role.CLIENT else "SoulSeer ended this reading.", keeps_changes=True
    )


def _joined_at(session: ReadingSession, role: Role) -> datetime | None:
    return session.client_joined_at if role is Role.CLIENT else session.reader_joined_at


def _other_is_there(session: ReadingSession, role: Role, now: datetime, signs: Signs) -> bool:
    """Whether the other participant was seen within the presence time-out of ``now``, the instant of the call itself."""
    other = Role.READER if role is Role.CLIENT else Role.CLIENT
    seen = [signs.reader if other is Role.READER else signs.client]
    if session.state == State.WAITING:
        seen.append(_joined_at(session, other))
    last = max((instant for instant in seen if instant), default=None)
    return last is not None and now - last <= policies.current().reading.presence_timeout


def _resume(session: ReadingSession, caller: Caller, at: datetime) -> None:
    before = session.state
    session.state = next_state(State(before), Action.RESUME).value
    session.active_since = session.covered_until = at
    session.paid_until = at + session.kept_microseconds * MICROSECOND
    session.kept_microseconds = 0
    session.grace_until = session.pause_cause = session.paused_at = None
    record(session, Action.JOIN, before, at, at, role=caller.role, actor_id=caller.person_id)


def leave(session_id: int, caller: Caller, now: datetime, signs: Signs) -> ReadingSession:
    """Step out: the unused paid time is kept. While paused it does nothing. Raises GraceOver, IllegalMove."""
    session = lock(session_id)
    at = instant_for(session, now)
    settle(session, at, signs, caller=caller.role, closing=True)
    refuse_if_over(session, Action.LEAVE)
    if session.state == State.ACTIVE:
        cause = left_cause(caller.role)
        pause(session, at, at, cause, action=Action.LEAVE, role=caller.role, actor_id=caller.person_id)
    elif session.state != State.PAUSED:
        next_state(State(session.state), Action.LEAVE)
    return session


def reconnect(session_id: int, caller: Caller, now: datetime, signs: Signs) -> ReadingSession:
    """paused → reconnecting, before the grace is over. Repeats do nothing.

    Raises GraceOver, IllegalMove, TooManyReconnects (which ends the session), CeilingReached and InsufficientFunds (only if no
    paid time is kept; the balance is below the rate), SpendingFrozen (which ends it too).
    """
    session = lock(session_id)
    at = instant_for(session, now)
    settle(session, at, signs, caller=caller.role)
    refuse_if_over(session, Action.RECONNECT)
    if session.state == State.RECONNECTING:
        return session
    after = next_state(State(session.state), Action.RECONNECT)
    _end_if_frozen(session, caller, at)
    if session.reconnects >= policies.current().reading.max_reconnects:
        finish(session, at, at, EndReason.TOO_MANY_RECONNECTS)
        raise TooManyReconnects(keeps_changes=True)
    if session.kept_microseconds == 0:
        billing_stops.refuse_if_stopped(keeps_changes=True)
        ceilings.refuse_if_reached(session)
        spendable = promotions.holding_of_wallet(session.client_account_id, at).spendable
        if spendable < session.rate:
            missing = session.rate - spendable if caller.role is Role.CLIENT else session.rate
            raise InsufficientFunds(missing, keeps_changes=True)
    before = session.state
    session.state = after.value
    session.reconnects += 1
    record(session, Action.RECONNECT, before, at, at, role=caller.role, actor_id=caller.person_id)
    return session


def end(session_id: int, caller: Caller, now: datetime, signs: Signs, *, reason: str = "") -> ReadingSession:
    """End for good, from any live state. Raises IllegalMove where it is over, GraceOver or RingOver where time was."""
    session = lock(session_id)
    at = instant_for(session, now)
    settle(session, at, signs, caller=caller.role, closing=True)
    refuse_if_over(session, Action.END)
    ended_by = ENDED_BY.get(caller.role, EndReason.SYSTEM_ENDED)
    details = {"reason": reason} if reason else {}
    finish(session, at, at, ended_by, role=caller.role, actor_id=caller.person_id, details=details)
    return session


def observe(
    session_id: int,
    now: datetime,
    signs: Signs,
    caller: Caller | None = None,
    *,
    job_run_id: int | None = None,
) -> ReadingSession:
    """Settle only: what a heartbeat that finds something due, or a sweep, does."""
    session = lock(session_id)
    at = instant_for(session, now)
    settle(session, at, signs, caller=caller.role if caller else None, job_run_id=job_run_id)
    return session


@dataclass(frozen=True)
class Meter:
    """What a participant sees of the session; ``balance``, which is all that can be spent, and ``promotional``, the
    part of it that is promotional credit, are the client's only."""

    session: ReadingSession
    role: Role
    now: datetime
    balance: Decimal | None
    promotional: Decimal | None
    other_seen: bool


def meter(
    session: ReadingSession,
    caller: Caller,
    now: datetime,
    signs: Signs | None,
    held: promotions.Holding | None = None,
) -> Meter:
    """The meter for ``caller``: amounts in dollars, instants UTC. ``held`` is what the client holds, where this request
    has read it already."""
    balance = promotional = None
    if caller.role is Role.CLIENT:
        held = held or promotions.holding_of_wallet(session.client_account_id, now)
        balance, promotional = held.spendable, held.promotional
    there = signs is not None and _other_is_there(session, caller.role, now, signs)
    return Meter(session, caller.role, now, balance, promotional, there)
