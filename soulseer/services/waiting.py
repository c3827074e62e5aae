"""Waiting for a reader: the queue of a busy one, and "tell me when free" (docs/room.md, Waiting).

All that is due is in rows, and ``tend`` brings one reader's up to now: a sweep calls it, and jobs that are woken when
something changed call it sooner. A reader's live places are locked together, in order, and nothing is waited for while
they are: whoever rings (``admit``) locks its own place last.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import (
    AlreadyLive,
    AlreadyQueued,
    InsufficientFunds,
    InvalidInput,
    ReaderHeld,
    ReaderUnavailable,
)
from soulseer.models.people import Block, Person
from soulseer.models.readers import ReaderProfile, ReaderRate
from soulseer.models.readings import LiveParticipant
from soulseer.models.waiting import FreeNotice, QueuePlace
from soulseer.services import holds, ledger, promotions

LIVE = ("waiting", "held")
_live = QueuePlace.state.in_(LIVE)


def reader_of(slug: str) -> ReaderProfile:
    """The listed reader. Raises InvalidInput."""
    reader: ReaderProfile | None = db.session.scalar(select(ReaderProfile).where(ReaderProfile.slug == slug))
    if reader is None or not reader.listed or reader.status != "verified":
        raise InvalidInput("reader", "There is no such reader.")
    return reader


def blocked(one: int, other: int) -> bool:
    """Whether either of the two has blocked the other."""
    pairs = ((one, other), (other, one))
    either = or_(*((Block.blocker_id == who) & (Block.blocked_id == whom) for who, whom in pairs))
    return bool(db.session.scalar(select(exists().where(either))))


def is_live(person_id: int) -> bool:
    """Whether the person is in a live reading, in whichever role."""
    return db.session.get(LiveParticipant, person_id) is not None


def missing(client_id: int, reader_id: int, now: datetime) -> Decimal:
    """Dollars that the client lacks for the shortest reading at the reader's lowest rate; 0.00 or more."""
    lowest = db.session.scalar(
        select(func.min(ReaderRate.rate)).where(ReaderRate.reader_id == reader_id, ReaderRate.offered)
    )
    if lowest is None:
        return promotions.ZERO
    wallet = ledger.account_id(AccountKind.CLIENT_WALLET, client_id)
    needed = lowest * policies.current().reading.minimum_minutes
    return max(promotions.ZERO, needed - promotions.holding_of_wallet(wallet, now).spendable)


def join(client_id: int, slug: str, now: datetime) -> QueuePlace:
    """Take a place in the reader's queue; the one that the client has already, where there is one.

    Raises InvalidInput (no such reader, oneself), ReaderUnavailable (offline, or not for this client), AlreadyQueued
    (with another reader), AlreadyLive, InsufficientFunds, SpendingFrozen.
    """
    reader = reader_of(slug)
    if reader.person_id == client_id:
        raise InvalidInput("reader", "You cannot wait for yourself.")
    suspended = db.session.scalar(select(Person.suspended_at).where(Person.id == reader.person_id))
    if not reader.online or suspended or blocked(client_id, reader.person_id):
        raise ReaderUnavailable(f"{reader.display_name} does not take readings now.")
    if is_live(client_id):
        raise AlreadyLive("You are in a reading already.")
    holds.refuse_if_frozen(client_id)
    lacks = missing(client_id, reader.person_id, now)
    if lacks > 0:
        raise InsufficientFunds(lacks)
    db.session.execute(
        upsert(QueuePlace)
        .values(client_id=client_id, reader_id=reader.person_id, created_at=now, state="waiting")
        .on_conflict_do_nothing()
    )
    place: QueuePlace | None = db.session.scalar(
        select(QueuePlace).where(QueuePlace.client_id == client_id, _live)
    )
    if place is None or place.reader_id != reader.person_id:
        raise AlreadyQueued("You wait for another reader already. Leave that queue first.")
    wake(reader.person_id, now)
    return place


def leave(client_id: int, slug: str, now: datetime) -> None:
    """Give one's place in the reader's queue up; nothing where there is none. Raises InvalidInput."""
    reader = reader_of(slug)
    left = db.session.execute(
        update(QueuePlace)
        .where(QueuePlace.client_id == client_id, QueuePlace.reader_id == reader.person_id, _live)
        .values(state="left", closed_at=now)
        .returning(QueuePlace.id)
    ).all()
    if left:
        wake(reader.person_id, now)


def tell_me(client_id: int, slug: str, now: datetime) -> None:
    """Have the client told once when the reader is free. Once more does nothing. Raises InvalidInput, and
    ReaderUnavailable where one of them has blocked the other."""
    reader = reader_of(slug)
    if reader.person_id == client_id:
        raise InvalidInput("reader", "You need not be told about yourself.")
    if blocked(client_id, reader.person_id):
        raise ReaderUnavailable(f"{reader.display_name} does not take readings now.")
    open_notice(client_id, reader.person_id, now)
    wake(reader.person_id, now)


def open_notice(client_id: int, reader_id: int, now: datetime) -> None:
    """A row of "tell me when free"; one that has run out makes way for a new one."""
    db.session.execute(
        update(FreeNotice)
        .where(
            FreeNotice.client_id == client_id,
            FreeNotice.reader_id == reader_id,
            FreeNotice.state == "open",
            FreeNotice.expires_at <= now,
        )
        .values(state="expired")
    )
    db.session.execute(
        upsert(FreeNotice)
        .values(
            client_id=client_id,
            reader_id=reader_id,
            created_at=now,
            expires_at=now + policies.current().waiting.notice,
            state="open",
        )
        .on_conflict_do_nothing()
    )


def do_not_tell_me(client_id: int, slug: str) -> None:
    """Take it back. Raises InvalidInput."""
    reader = reader_of(slug)
    db.session.execute(
        update(FreeNotice)
        .where(
            FreeNotice.client_id == client_id,
            FreeNotice.reader_id == reader.person_id,
            FreeNotice.state == "open",
        )
        .values(state="cancelled")
    )


def seen(client_id: int) -> None:
    """The client has seen what they were told."""
    db.session.execute(
        update(FreeNotice)
        .where(FreeNotice.client_id == client_id, FreeNotice.state == "told")
        .values(state="seen")
    )


def admit(client_id: int, reader_id: int, now: datetime) -> None:
    """Somebody rings a reader who is free: only the first in the queue may, if anybody waits. Their place is served.

    Called in the transaction of the request, which has claimed both participants. Raises ReaderHeld.
    """
    rows = db.session.execute(
        select(QueuePlace.id, QueuePlace.client_id, QueuePlace.state)
        .where(
            QueuePlace.reader_id == reader_id,
            _live,
            or_(QueuePlace.state == "waiting", QueuePlace.held_until > now),
        )
        .order_by(QueuePlace.state, QueuePlace.id)  # “held” comes before “waiting”
        .limit(1)
    ).all()
    if not rows:
        return
    if rows[0].client_id != client_id:
        raise ReaderHeld("Others wait for this reader, and the first of them may ring now. Join the queue.")
    db.session.execute(
        update(QueuePlace).where(QueuePlace.id == rows[0].id, _live).values(state="served", closed_at=now)
    )


def someone_waits(reader_id: int) -> bool:
    """Whether a place or a notice waits for this reader."""
    place = exists().where(QueuePlace.reader_id == reader_id, _live)
    notice = exists().where(FreeNotice.reader_id == reader_id, FreeNotice.state == "open")
    return bool(db.session.scalar(select(or_(place, notice))))


def wake(reader_id: int, now: datetime) -> None:
    """Have ``tend`` run for the reader once this transaction has committed."""
    job_id = f"tend_waiting-{reader_id}-{int(now.timestamp() * 1_000_000)}"

    def enqueue() -> None:
        gateways.current().queue.enqueue(
            "sessions", "tend_waiting", job_id=job_id, arguments={"arguments": {"reader": str(reader_id)}}
        )

    after_commit(enqueue)
