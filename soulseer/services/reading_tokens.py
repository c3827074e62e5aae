"""Agora tokens for participants of a live session, no longer than the money lasts (design §4, Tokens)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from soulseer import gateways
from soulseer.domain import policies
from soulseer.domain.errors import Conflict, InsufficientFunds
from soulseer.domain.money import to_cents
from soulseer.domain.readings import Action, Role, State
from soulseer.gateways.presence import Signs
from soulseer.models.readings import ReadingSession
from soulseer.services import promotions
from soulseer.services.readings import Caller
from soulseer.services.settling import MICROSECOND, instant_for, lock, refuse_if_over, settle


@dataclass(frozen=True)
class Tokens:
    """``expires_at`` is UTC; ``uid`` is the participant's in the channel, as text for messaging."""

    app_id: str
    channel: str
    uid: int
    token: str
    rtm_token: str
    expires_at: datetime


class Paused(Conflict):
    code, title = "paused", "The reading is paused: reconnect first"


def settle_for_token(session_id: int, caller: Caller, now: datetime, signs: Signs) -> ReadingSession:
    """Settle first. Raises Paused (409), GraceOver and RingOver (410), IllegalMove."""
    session = lock(session_id)
    settle(session, instant_for(session, now), signs, caller=caller.role)
    refuse_if_over(session, Action.JOIN)
    if session.state == State.PAUSED:
        raise Paused(keeps_changes=True)
    return session


def issue(session: ReadingSession, caller: Caller, now: datetime) -> Tokens:
    """Build both tokens. Raises InsufficientFunds where no time is left to the client, VendorError."""
    assert caller.person_id is not None
    seconds = _seconds(session, caller.role, now)
    if seconds < 1:
        raise InsufficientFunds(session.rate)
    agora = gateways.current().agora
    return Tokens(
        app_id=agora.app_id,
        channel=session.channel,
        uid=caller.person_id,
        token=agora.rtc_token(session.channel, caller.person_id, seconds),
        rtm_token=agora.rtm_token(str(caller.person_id), seconds),
        expires_at=now.replace(microsecond=0) + timedelta(seconds=seconds),
    )


def _seconds(session: ReadingSession, role: Role, now: datetime) -> int:
    """The reader's token lives for the whole TTL: its expiry must not tell the client's balance."""
    longest = policies.current().reading.token_ttl
    if role is Role.READER:
        return int(longest.total_seconds())
    spendable = to_cents(promotions.holding_of_wallet(session.client_account_id, now).spendable)
    minutes = spendable // session.rate_cents
    if session.ceiling_minutes_left is not None:
        minutes = min(minutes, session.ceiling_minutes_left)
    left = timedelta(minutes=minutes)
    if session.state == State.WAITING:
        left += session.ring_until - now
    elif session.state == State.ACTIVE and session.paid_until is not None:
        left += session.paid_until - now
    else:
        left += session.kept_microseconds * MICROSECOND
    return int(min(longest, left).total_seconds())
