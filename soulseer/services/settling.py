"""Settle first: charge what is due, book drops and expiries as of when they happened (design §4, rules 1–7).

Everything here works on a session whose row is locked, and takes ``at``: the instant of the call, never before what
the session is covered to.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import GraceOver, IllegalMove, NotFound, RingDeclined, RingOver
from soulseer.domain.money import credit_for, from_cents, reader_gave_back, to_cents
from soulseer.domain.presence import Verdict, judge
from soulseer.domain.readings import Action, EndReason, PauseCause, Role, State, credit_is_due, next_state
from soulseer.domain.transfers import TransferKind
from soulseer.gateways.presence import Signs
from soulseer.models.readings import LiveParticipant, ReadingSession, ReadingSessionEvent
from soulseer.services import (
    billing,
    billing_stops,
    channel_removals,
    connections,
    ledger,
    promotion_spending,
    promotions,
    ringing,
)
from soulseer.services.promotion_spending import MinuteWant, purpose_of_reading

MICROSECOND = timedelta(microseconds=1)
# What the person could not come back from earlier: grace runs from when it was recorded.
LATE = frozenset(
    {PauseCause.LOW_BALANCE, PauseCause.CEILING, PauseCause.PLATFORM, PauseCause.BILLING_STOPPED}
)
_LEFT = {Role.CLIENT: PauseCause.CLIENT_LEFT, Role.READER: PauseCause.READER_LEFT}


def lock(session_id: int) -> ReadingSession:
    """The session with its row locked. Raises NotFound."""
    session: ReadingSession | None = db.session.scalar(
        select(ReadingSession)
        .where(ReadingSession.id == session_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if session is None:
        raise NotFound(f"There is no reading {session_id}.")
    return session


def instant_for(session: ReadingSession, now: datetime) -> datetime:
    """When a call at ``now`` takes effect: never before what the session is covered to."""
    return max(now, session.covered_until) if session.covered_until else now


def verdict_on(
    session: ReadingSession, at: datetime, signs: Signs, *, caller: Role | None = None, closing: bool = False
) -> Verdict:
    """Who of an active session is there at ``at``, by the last signs of life."""
    assert session.covered_until is not None
    return judge(
        at,
        session.covered_until,
        {Role.CLIENT: signs.client, Role.READER: signs.reader},
        signs.epoch,
        policies.current().reading.presence_timeout,
        active_since=session.active_since,
        caller=caller,
        closing=closing,
    )


def witnessed_until(session: ReadingSession) -> datetime | None:
    """Until when both are known to have been in the active session, whatever Redis remembers; None just after a join."""
    return session.covered_until if session.covered_until != session.active_since else None


def is_due(session: ReadingSession, at: datetime, signs: Signs, caller: Role | None) -> bool:
    """Whether ``settle`` would change anything, from an unlocked row: a heartbeat with nothing due writes nothing."""
    if session.state in (State.WAITING, State.CREATED):
        return at >= session.ring_until
    if session.state == State.ACTIVE:
        verdict = verdict_on(session, at, signs, caller=caller)
        assert session.paid_until is not None
        charges = (
            policies.current().reading.charge_on_heartbeat and session.paid_until < verdict.covered_until
        )
        return charges or bool(verdict.silent)
    return session.grace_until is not None and session.is_live and at >= session.grace_until


def settle(
    session: ReadingSession,
    at: datetime,
    signs: Signs,
    *,
    caller: Role | None = None,
    closing: bool = False,
    job_run_id: int | None = None,
) -> None:
    """Bring the locked session up to ``at``: ring over, minutes due, low balance, silence, grace over."""
    if session.state in (State.WAITING, State.CREATED) and at >= session.ring_until:
        finish(session, session.ring_until, at, EndReason.NO_ANSWER, action=Action.NO_ANSWER)
    if session.state == State.ACTIVE:
        verdict = verdict_on(session, at, signs, caller=caller, closing=closing)
        verdict, told = connections.judged(session, verdict, at)
        charge_until(session, verdict.covered_until, verdict.covered_until, at, job_run_id=job_run_id)
        assert session.paid_until is not None
        if session.paid_until < verdict.covered_until:
            cause, action = PauseCause.LOW_BALANCE, Action.LOW_BALANCE
            if session.ceiling_reached:
                cause, action = PauseCause.CEILING, Action.CEILING
            elif billing_stops.stopped():
                cause, action = PauseCause.BILLING_STOPPED, Action.LEAVE
            pause(session, session.paid_until, at, cause, action=action)
        elif verdict.cause is not None:
            pause(session, verdict.covered_until, at, verdict.cause, action=Action.DROP, details=told)
    if session.state in (State.PAUSED, State.RECONNECTING):
        assert session.grace_until is not None
        if at >= session.grace_until:
            finish(session, session.grace_until, at, EndReason.GRACE_OVER, action=Action.EXPIRE)


def charge_until(
    session: ReadingSession,
    cover: datetime,
    due_before: datetime,
    now: datetime,
    *,
    job_run_id: int | None = None,
) -> None:
    """Charge minute after minute while one is due before ``due_before`` and the client can pay: with promotional
    credit that is good at ``now`` first, then from the wallet."""
    assert session.paid_until is not None
    if session.paid_until >= due_before:
        return
    db.session.flush()
    # So that no wallet can be emptied between the look and the charge.
    credit = lock_accounts(session)
    if credit and billing_stops.stopped():
        # Nothing is spent for a minute that the charge would refuse.
        return
    minute = session.minutes_billed
    charged = billing.Charged(still_due=1)
    while charged.still_due and (session.max_minutes is None or minute < session.max_minutes):
        minute += 1
        want = MinuteWant(session.id, minute, session.client_account_id, session.rate_cents)
        spent = promotion_spending.spend_on_minutes([want], now) if credit else []
        charged = billing.charge(
            [session.id], cover=cover, due_before=due_before, now=now, job_run_id=job_run_id
        )
        promotion_spending.check_charged(spent)
    db.session.refresh(session)


def lock_accounts(session: ReadingSession) -> Decimal:
    """Lock all accounts that settling the session may move, those of a credit as well; gives the dollars of the
    client's promotional credit, expired or not."""
    return ledger.lock_accounts(
        [session.client_account_id], earnings_of=[session.reader_id], credit_of=[session.client_id]
    )


def pause(
    session: ReadingSession,
    effective: datetime,
    recorded: datetime,
    cause: PauseCause,
    *,
    action: Action,
    role: Role = Role.SYSTEM,
    actor_id: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """active → paused as of ``effective``; the unused paid time is kept and the grace runs (rules 5 and 6)."""
    before = session.state
    session.state = next_state(State(session.state), action)
    _close_stretch(session, effective)
    session.paused_at = effective
    session.pause_cause = cause
    late = cause in LATE
    session.grace_until = (recorded if late else effective) + policies.current().reading.grace
    record(
        session,
        action,
        before,
        effective,
        recorded,
        role=role,
        actor_id=actor_id,
        cause=cause,
        details=details,
    )
    channel_removals.paid_time_over(session, cause, effective, recorded)
    # A move of its own to the database, which knows no way from active to what may follow in this transaction.
    db.session.flush()


def _close_stretch(session: ReadingSession, effective: datetime) -> None:
    """Book the active stretch that ends at ``effective`` and keep what is paid beyond it."""
    assert session.active_since is not None
    assert session.paid_until is not None
    session.active_microseconds += max(0, (effective - session.active_since) // MICROSECOND)
    session.kept_microseconds = max(0, (session.paid_until - effective) // MICROSECOND)
    session.active_since = None
    session.covered_until = max(effective, session.covered_until or effective)


def finish(
    session: ReadingSession,
    effective: datetime,
    recorded: datetime,
    reason: EndReason,
    *,
    action: Action = Action.END,
    role: Role = Role.SYSTEM,
    actor_id: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Any live state → ended as of ``effective``, with fair credit where it is due (rule 7)."""
    before = State(session.state)
    session.state = next_state(before, action)
    was_active = before is State.ACTIVE
    if was_active:
        _close_stretch(session, effective)
    session.ended_at = effective
    session.end_reason = reason
    cause = PauseCause(session.pause_cause) if session.pause_cause else None
    if session.activated_at and credit_is_due(ended_from_active=was_active, ended_by=role, cause=cause):
        give_credit(session, recorded)
    record(
        session,
        action,
        before,
        effective,
        recorded,
        role=role,
        actor_id=actor_id,
        cause=reason,
        details=details,
    )
    db.session.execute(delete(LiveParticipant).where(LiveParticipant.reading_session_id == session.id))
    ringing.ended(session, recorded)
    channel_removals.session_over(session, effective, recorded)
    session_id = session.id
    after_commit(lambda: _after_end(session_id))


def _after_end(session_id: int) -> None:
    current = gateways.current()
    current.presence.forget([session_id])
    current.queue.enqueue(
        "sessions",
        "session_finalize",
        job_id=f"session_finalize-{session_id}",
        arguments={"arguments": {"session": str(session_id)}},
    )


def give_credit(session: ReadingSession, now: datetime) -> None:
    """Give kept time back: half-even(rate × kept seconds / 60); each side bears its part (rule 7). As cash as far as
    the client paid cash, the rest as promotional credit."""
    cents = credit_for(session.rate_cents, session.kept_microseconds)
    if cents > 0:
        book_credit(session, cents, f"reading:{session.id}:fair_credit", now)


def give_unserved(session: ReadingSession, now: datetime) -> None:
    """Give back what the evidence owes beyond the kept time (docs/room.md, Who was there), before the receipt is
    written. The session is locked and has ended."""
    cents = to_cents(connections.owed(session))
    if cents > 0:
        book_credit(session, cents, f"reading:{session.id}:fair_credit:unserved", now)


def book_credit(session: ReadingSession, cents: int, key: str, now: datetime) -> None:
    """Give ``cents`` back on top of what the session was credited before; over all of it the reader bears what
    ``reader_gave_back`` says: the parts of whole minutes, and share(rate) − share(rate − rest) of the rest."""
    lock_accounts(session)
    before = session.credit_cents
    split = session.rate_cents, session.reader_rate_cents, session.reader_share
    reader_cents = reader_gave_back(*split, before + cents) - reader_gave_back(*split, before)
    purpose = purpose_of_reading(session.id)
    parts = dict(
        promotions.preview_give_back(
            purpose,
            from_cents(cents),
            charged=session.minutes_billed * session.rate,
            returned=from_cents(before),
        )
    )
    postings = [
        ledger.Posting(ledger.account_id(kind, session.client_id), part) for kind, part in parts.items()
    ]
    postings += taken_back(session.reader_id, from_cents(reader_cents), now)
    if cents != reader_cents:
        revenue = ledger.account_id(AccountKind.PLATFORM_REVENUE)
        postings.append(ledger.Posting(revenue, -from_cents(cents - reader_cents)))
    transaction_id, _ = ledger.post(
        TransferKind.FAIR_CREDIT,
        key,
        postings,
        now,
        reading_session_id=session.id,
    )
    promotional = parts.get(AccountKind.CLIENT_PROMOTIONAL_CREDIT)
    if promotional:
        promotions.give_back(session.client_id, purpose, promotional, transaction_id, now)
    session.credit_cents = before + cents


def taken_back(reader_id: int, amount: Decimal, now: datetime) -> list[ledger.Posting]:
    """Postings that take ``amount`` dollars from a reader: pending first, then available, then owed."""
    postings = []
    for kind in ledger.EARNED_KINDS:
        if amount <= 0:
            break
        if kind is AccountKind.READER_RECEIVABLE:
            ledger.open_accounts(reader_id, [kind], now)
        account = ledger.lock_account(kind, reader_id)
        part = amount if account.floor is None else min(amount, account.balance - account.floor)
        if part > 0:
            postings.append(ledger.Posting(account.id, -part))
            amount -= part
    return postings


def record(
    session: ReadingSession,
    action: Action,
    before: State | str | None,
    effective: datetime,
    recorded: datetime,
    *,
    role: Role,
    actor_id: int | None = None,
    cause: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Add the row that tells of a move: when it took effect, when it was recorded, by whom and why."""
    db.session.add(
        ReadingSessionEvent(
            reading_session_id=session.id,
            effective_at=effective,
            recorded_at=recorded,
            actor_id=actor_id,
            actor_role=role.value,
            action=action.value,
            from_state=None if before is None else str(before),
            to_state=session.state,
            cause=cause,
            details=details or {},
        )
    )


def refuse_if_over(session: ReadingSession, action: Action) -> None:
    """Raise what a call on a session that is over deserves: 410 where a time ran out, else 409."""
    if session.state not in (State.ENDED, State.FINALIZED):
        return
    if session.end_reason == EndReason.NO_ANSWER:
        raise RingOver(keeps_changes=True)
    if session.end_reason == EndReason.DECLINED:
        raise RingDeclined(keeps_changes=True)
    if session.end_reason == EndReason.GRACE_OVER:
        raise GraceOver(keeps_changes=True)
    raise IllegalMove(f"This reading is over: it does not allow “{action}”.", keeps_changes=True)


def left_cause(role: Role) -> PauseCause:
    """The cause of a pause by an explicit leave of ``role``."""
    return _LEFT[role]
