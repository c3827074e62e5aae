"""Evidence that comes after the receipt: the receipt stands as it was signed, and what it owes more is given back
beneath it, by a refund of the reading that nobody had to ask for (docs/room.md, Who was there)."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select

from soulseer.db import db
from soulseer.domain.refunds import Destination, Origin, RefundState
from soulseer.models.readings import ReadingSession
from soulseer.models.refunds import Refund
from soulseer.services import connections, refunds, reversals
from soulseer.services.reversals import NOTHING, READING, Source

REASON = "Time that was paid and not served, by the connection's evidence"


def give_back(session: ReadingSession, now: datetime) -> Refund | None:
    """Refund what the evidence of a finalized session owes by now beyond its receipt and earlier refunds of this kind,
    as far as staff has not given it back already; None where it owes nothing. The session is locked."""
    if connections.owed(session) <= 0:
        return None
    source = Source(READING, session.id)
    refunds.lock_source(source, now)
    amount = min(connections.owed(session, _given(session.id)), reversals.of(source).rest)
    if amount <= 0:
        return None
    plan = refunds.locked_plan(source, amount)
    refund = Refund(
        person_id=plan.person_id,
        destination=Destination.WALLET.value,
        origin=Origin.EVIDENCE.value,
        reason=REASON,
        **refunds.described(plan, now),
    )
    db.session.add(refund)
    db.session.flush()
    refunds.record(refund, "refund.requested", now, reason=REASON)
    refunds.book(refund, plan, now, actor_id=None)
    return refund


def _given(session_id: int) -> Decimal:
    """Dollars given back of the session by this module."""
    found = db.session.scalar(
        select(func.sum(Refund.amount)).where(
            Refund.reading_session_id == session_id,
            Refund.origin == Origin.EVIDENCE.value,
            Refund.state == RefundState.SETTLED.value,
        )
    )
    return found or NOTHING
