"""Ceilings: how many minutes, or how much money, a client wants to spend on a reading at most (docs/room.md).

A ceiling in money is turned into minutes by the rate as of the request; the row keeps what was asked. The statement
that charges looks at the row (services/billing.py), and the row itself refuses a minute beyond it.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from soulseer.domain.errors import CeilingReached, Forbidden, InvalidInput
from soulseer.domain.money import to_cents
from soulseer.domain.readings import Action, CeilingKind, Role
from soulseer.gateways.presence import Signs
from soulseer.models.readings import ReadingSession
from soulseer.services.settling import instant_for, lock, record, refuse_if_over, settle

if TYPE_CHECKING:
    from soulseer.services.readings import Caller

# A week; nobody means more.
MOST_MINUTES = 7 * 24 * 60
MOST_MONEY = Decimal("10000.00")


@dataclass(frozen=True)
class Ceiling:
    """``asked`` in minutes, or in cents, by ``kind``."""

    kind: CeilingKind
    asked: int

    def minutes(self, rate_cents: int) -> int:
        """Whole minutes that it allows at a rate in cents."""
        return self.asked if self.kind is CeilingKind.MINUTES else self.asked // rate_cents


def wanted(max_minutes: int | None, max_amount: Decimal | None) -> Ceiling | None:
    """The ceiling that a client asks for, by one of the two; None for none. Raises InvalidInput."""
    if max_minutes is not None and max_amount is not None:
        raise InvalidInput("max_amount", "Limit the minutes or the money, not both.")
    if max_minutes is not None:
        if not 1 <= max_minutes <= MOST_MINUTES:
            raise InvalidInput("max_minutes", f"A limit is 1 to {MOST_MINUTES:,} minutes.")
        return Ceiling(CeilingKind.MINUTES, max_minutes)
    if max_amount is not None:
        if not 0 < max_amount <= MOST_MONEY or max_amount != max_amount.quantize(Decimal("0.01")):
            raise InvalidInput("max_amount", f"A limit is up to {MOST_MONEY:,} dollars and whole cents.")
        return Ceiling(CeilingKind.MONEY, to_cents(max_amount))
    return None


def begin(session: ReadingSession, ceiling: Ceiling | None) -> None:
    """Set it on a session that is being requested. Raises InvalidInput where it is below the least reading."""
    if ceiling is None:
        return
    allowed = ceiling.minutes(session.rate_cents)
    if allowed < session.minimum_minutes:
        minutes = "a minute" if session.minimum_minutes == 1 else f"{session.minimum_minutes} minutes"
        field = "max_minutes" if ceiling.kind is CeilingKind.MINUTES else "max_amount"
        raise InvalidInput(
            field, f"Your limit does not cover {minutes} ({session.rate * session.minimum_minutes})."
        )
    _set(session, ceiling, allowed)


def change(
    session_id: int, caller: "Caller", now: datetime, signs: Signs, ceiling: Ceiling | None
) -> ReadingSession:
    """Set, raise, lower or lift it in a live session, by its client alone, after what is due was settled.

    Lower than what is paid already, it takes effect at the end of the paid minute. Raises Forbidden, IllegalMove,
    GraceOver, RingOver; InvalidInput below one minute.
    """
    session = lock(session_id)
    if caller.role is not Role.CLIENT:
        raise Forbidden("Only the client sets a limit.")
    at = instant_for(session, now)
    settle(session, at, signs, caller=caller.role)
    refuse_if_over(session, Action.SET_CEILING)
    allowed = None if ceiling is None else ceiling.minutes(session.rate_cents)
    if allowed is not None and allowed < 1:
        raise InvalidInput("max_amount", f"A minute costs {session.rate}.")
    # Asked for again as it is: nothing to tell.
    before = (session.ceiling_kind, session.ceiling_asked)
    if before == ((ceiling.kind.value, ceiling.asked) if ceiling else (None, None)):
        return session
    _set(session, ceiling, None if allowed is None else max(allowed, session.minutes_billed))
    details = {"kind": ceiling.kind.value, "asked": ceiling.asked} if ceiling else {}
    record(
        session,
        Action.SET_CEILING,
        session.state,
        at,
        at,
        role=caller.role,
        actor_id=caller.person_id,
        details=details,
    )
    return session


def _set(session: ReadingSession, ceiling: Ceiling | None, allowed: int | None) -> None:
    session.max_minutes = allowed
    session.ceiling_kind = None if ceiling is None else ceiling.kind.value
    session.ceiling_asked = None if ceiling is None else ceiling.asked


def refuse_if_reached(session: ReadingSession) -> None:
    """Raise CeilingReached where no further minute may be charged."""
    if session.ceiling_reached:
        raise CeilingReached(keeps_changes=True)
