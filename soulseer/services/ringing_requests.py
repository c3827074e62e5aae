"""Before a reader is rung: what the reading would cost a minute, and old readings that are over."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import ReaderUnavailable
from soulseer.domain.readings import State
from soulseer.gateways.presence import Signs
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, ReaderRate
from soulseer.models.readings import LiveParticipant, ReadingSession
from soulseer.services import ledger, waiting
from soulseer.services.settling import instant_for, lock, settle


def offered_rate(reader: ReaderProfile, modality: str, client_id: int) -> Decimal:
    """Dollars a minute that the reader asks of this client now. Raises ReaderUnavailable."""
    rate: Decimal | None = db.session.scalar(
        select(ReaderRate.rate).where(
            ReaderRate.reader_id == reader.person_id, ReaderRate.modality == modality, ReaderRate.offered
        )
    )
    suspended = db.session.scalar(select(Person.suspended_at).where(Person.id == reader.person_id))
    away = not reader.online or rate is None or rate <= 0 or suspended
    if away or rate is None or waiting.blocked(client_id, reader.person_id):
        raise ReaderUnavailable(f"{reader.display_name} does not take {modality} readings now.")
    return rate


def free_of_stale_readings(client_id: int, reader_id: int, now: datetime) -> None:
    """Ring time-outs and grace are judged on every request, not only by the job: end what is over."""
    stale = db.session.scalars(
        select(LiveParticipant.reading_session_id)
        .where(LiveParticipant.person_id.in_([client_id, reader_id]))
        .distinct()
        .order_by(LiveParticipant.reading_session_id)
    ).all()
    over = [session for session in map(lock, stale) if _is_over(session, instant_for(session, now))]
    if over:
        # With the wallet that the request itself will lock, so that all are locked in one order.
        wallets = [session.client_account_id for session in over]
        wallets.append(ledger.account_id(AccountKind.CLIENT_WALLET, client_id))
        clients = [session.client_id for session in over]
        ledger.lock_accounts(wallets, earnings_of=[session.reader_id for session in over], credit_of=clients)
    for session in over:
        at = instant_for(session, now)
        settle(session, at, Signs(at, None, None))
    db.session.flush()


def _is_over(session: ReadingSession, at: datetime) -> bool:
    """Whether the ring or the grace of a live session has run out."""
    if session.state == State.WAITING:
        return at >= session.ring_until
    paused = session.state in (State.PAUSED, State.RECONNECTING)
    return paused and session.grace_until is not None and at >= session.grace_until
