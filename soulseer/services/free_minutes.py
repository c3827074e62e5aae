"""First minutes free: a reader offers them, the platform pays them, a client has them once (docs/money.md).

Once per client at all, not once per reader: the first reading with such an offer that really begins uses it up. It is a
grant of promotional credit, made in the transaction that begins the reading, for that reading alone; minutes are charged
as ever, so that the reader earns the usual share, and what is unused at the end is booked off. The wallet must cover the
least reading as without an offer: else an empty account made for the purpose would be read for free.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import InvalidInput
from soulseer.models.promotions import PromotionalCredit
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.models.waiting import FreeMinutesUse
from soulseer.services import audit, ledger, promotion_grants, promotions, reader_settings
from soulseer.services.settling import lock_accounts

# Longer than any reading waits for its first minutes to be used.
LASTS = timedelta(hours=24)


def offer(reader_id: int, typed: str, now: datetime) -> None:
    """The reader offers so many first minutes, 0 for none; readings that ring or run keep what they were asked for with.

    Raises InvalidInput (``free_minutes``), Forbidden where the person is no reader.
    """
    most = policies.current().waiting.most_free_minutes
    if not (typed.isascii() and typed.isdigit() and len(typed) == 1 and int(typed) <= most):
        raise InvalidInput("free_minutes", f"A whole number from 0 to {most}.")
    reader = reader_settings.own_profile(reader_id)
    before, reader.free_minutes = reader.free_minutes, int(typed)
    if before != reader.free_minutes:
        details = {"from": before, "to": reader.free_minutes}
        audit.record("reader.free_minutes_set", "reader", reader_id, now, actor_id=reader_id, details=details)


def offered(reader: ReaderProfile, client_id: int) -> int:
    """The free minutes that a reading asked for now would begin with."""
    minutes = min(reader.free_minutes, policies.current().waiting.most_free_minutes)
    return 0 if not minutes or _used(client_id) else minutes


def grant_for(session: ReadingSession, now: datetime) -> None:
    """The reading begins: give the client its free minutes, if it came with any and they have had none. The session is
    locked."""
    minutes = min(session.free_minutes, int(policies.current().promotion.maximum // session.rate))
    if minutes < 1 or _used(session.client_id):
        return
    ledger.open_accounts(session.client_id, [AccountKind.CLIENT_PROMOTIONAL_CREDIT], now)
    # All that the first minute will move, in one order; whoever else begins a reading of this client waits here.
    lock_accounts(session)
    if _used(session.client_id):
        return
    credit, _ = promotion_grants.grant(
        session.client_id,
        session.rate * minutes,
        now + LASTS,
        f"The first {minutes} minutes of reading {session.id} are free",
        now,
        key=f"free_minutes:{session.client_id}",
        only_session_id=session.id,
    )
    db.session.execute(
        upsert(FreeMinutesUse).values(
            client_id=session.client_id,
            reading_session_id=session.id,
            promotional_credit_id=credit.id,
            used_at=now,
            minutes=minutes,
        )
    )


def end(session: ReadingSession, now: datetime) -> None:
    """The reading is being finalized: book off what of its free minutes was not used. The session is locked."""
    if not session.free_minutes:
        return
    credit_id = db.session.scalar(
        select(PromotionalCredit.id).where(PromotionalCredit.only_session_id == session.id)
    )
    if credit_id is not None:
        promotions.book_off(credit_id, now)


def _used(client_id: int) -> bool:
    found = db.session.scalar(select(FreeMinutesUse.client_id).where(FreeMinutesUse.client_id == client_id))
    return found is not None
