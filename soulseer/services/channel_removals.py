"""Who stays in a call's channel at Agora once paid time or the session is over is removed (design §4, Tokens).

The pages cut their own media; this is for a page that was tampered with. After paid time one may come back at once, with
a new token; after the end nobody may, until every token of the channel has expired.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.readings import PauseCause, State
from soulseer.models.channel_removals import ChannelRemoval
from soulseer.models.readings import ReadingSession

# Pauses by which paid time is over, whoever is still there.
MONEY_OVER = frozenset({PauseCause.LOW_BALANCE, PauseCause.CEILING, PauseCause.BILLING_STOPPED})
# A run that died with a removal in hand gives it up after this; asking takes less (gateways/agora_channels).
LEASE = timedelta(seconds=60)
FIRST_RETRY, LAST_RETRY = timedelta(seconds=5), timedelta(seconds=60)
CAME_BACK = "the pause is over"
EXPIRED = "every token has expired"


@dataclass(frozen=True)
class Claimed:
    """A removal in hand; ``given_up`` where it is not to be asked for any more."""

    removal_id: int
    channel: str
    uid: int
    seconds: int
    given_up: bool = False


def applies(session: ReadingSession) -> bool:
    """Whether the session's people are in a channel at Agora, and we may remove them from it."""
    return (
        session.modality != "text"
        and policies.current().media.transport == "agora"
        and gateways.current().channels.configured
    )


def paid_time_over(session: ReadingSession, cause: PauseCause, effective: datetime, now: datetime) -> None:
    """Note that both are to leave the channel of a session that is paused as of ``effective``, where money is the cause."""
    if cause in MONEY_OVER and applies(session):
        _want(session, "money_over", effective, 0, now)


def session_over(session: ReadingSession, effective: datetime, now: datetime) -> None:
    """Note that both are to leave the channel of a session that ended as of ``effective``, where it was ever active."""
    if session.activated_at is not None and applies(session):
        _want(session, "session_over", effective, int(_token_life().total_seconds()), now)


def _want(session: ReadingSession, reason: str, effective: datetime, ban_seconds: int, now: datetime) -> None:
    same = {
        "reading_session_id": session.id,
        "reason": reason,
        "reason_at": effective,
        "ban_seconds": ban_seconds,
        "state": "wanted",
        "created_at": now,
        "next_check_at": now,
        "attempts": 0,
    }
    rows = [{**same, "uid": uid} for uid in (session.client_id, session.reader_id)]
    db.session.execute(upsert(ChannelRemoval).values(rows).on_conflict_do_nothing())
    name = f"{session.id}-{reason}-{int(effective.timestamp() * 1_000_000)}"
    after_commit(lambda: wake(name))


def wake(name: object) -> None:
    """Have what is due done now rather than at the next sweep; call it after the commit."""
    gateways.current().queue.wake("sessions", "remove_from_channels", name)


def _token_life() -> timedelta:
    return policies.current().reading.token_ttl


def due(now: datetime) -> list[int]:
    """The ids of the removals that are due, longest first."""
    return list(
        db.session.scalars(
            select(ChannelRemoval.id)
            .where(ChannelRemoval.state == "wanted", ChannelRemoval.next_check_at <= now)
            .order_by(ChannelRemoval.next_check_at)
        )
    )


def claim(now: datetime) -> Claimed | None:
    """Take a removal that is due, new ones first; None where there is none.

    It comes back by itself after a lease: whoever is removed a second time is simply gone. One whose pause is over is
    given up, so that nobody is removed who has paid again; so is one that outlived the tokens.
    """
    found = db.session.execute(
        select(ChannelRemoval, ReadingSession.channel, ReadingSession.state)
        .join(ReadingSession, ReadingSession.id == ChannelRemoval.reading_session_id)
        .where(ChannelRemoval.state == "wanted", ChannelRemoval.next_check_at <= now)
        .order_by(ChannelRemoval.attempts, ChannelRemoval.next_check_at, ChannelRemoval.id)
        .limit(1)
        .with_for_update(of=ChannelRemoval, skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        return None
    row, channel, state = found
    over = None
    if row.reason == "money_over" and state != State.PAUSED:
        over = CAME_BACK
    elif now >= row.created_at + _token_life():
        over = f"{EXPIRED}; {row.error}" if row.error else EXPIRED
    if over is None:
        row.attempts += 1
        row.next_check_at = now + LEASE
    else:
        _settle(row, "given_up", over, now)
    return Claimed(row.id, channel, row.uid, row.ban_seconds, given_up=over is not None)


def note_done(removal_id: int, rule_id: int | None, now: datetime) -> str:
    """Agora has taken the rule ``rule_id``; the removal's state afterwards."""
    row = _locked(removal_id)
    if row.state == "wanted":
        row.rule_id = rule_id
        _settle(row, "done", None, now)
    return row.state


def note_failure(removal_id: int, words: str, now: datetime, *, for_good: bool) -> str:
    """Agora has not done it, or did not say so: it is asked again later, until the tokens have expired. The removal's
    state afterwards."""
    row = _locked(removal_id)
    if row.state != "wanted":
        return row.state
    if for_good:
        _settle(row, "given_up", words, now)
    else:
        row.error = words
        row.next_check_at = now + min(FIRST_RETRY * 2 ** min(row.attempts - 1, 10), LAST_RETRY)
    return row.state


def _settle(row: ChannelRemoval, state: str, words: str | None, now: datetime) -> None:
    row.state, row.error, row.settled_at, row.next_check_at = state, words, now, None


def _locked(removal_id: int) -> ChannelRemoval:
    return db.session.get_one(ChannelRemoval, removal_id, with_for_update=True, populate_existing=True)
