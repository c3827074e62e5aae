"""The switch that stops all billing (docs/money.md, Billing stopped).

While a row stands, no minute is charged by anybody: the charge itself asks (services/billing.py). Readings run on to the
end of what is paid and are paused there by the house; nothing new begins.
"""

from datetime import datetime

from sqlalchemy import select, text

from soulseer.db import db
from soulseer.domain.errors import BillingStopped, Conflict
from soulseer.models.switches import BillingStop
from soulseer.services import audit, board


def standing() -> BillingStop | None:
    """The stop that stands now; one statement."""
    return db.session.scalars(
        select(BillingStop).where(BillingStop.lifted_at.is_(None)).execution_options(populate_existing=True)
    ).one_or_none()


def stopped() -> bool:
    """Whether no minute may be charged now; one statement."""
    return standing() is not None


def refuse_if_stopped(*, keeps_changes: bool = False) -> None:
    """Raise BillingStopped while all billing is stopped."""
    if stopped():
        raise BillingStopped(
            "SoulSeer has stopped all charging for the moment, so no reading can begin or go on. "
            "Nothing is charged meanwhile; please try again a little later.",
            keeps_changes=keeps_changes,
        )


def stop(actor_id: int, reason: str, now: datetime) -> None:
    """Stop all billing from now on. Raises Conflict where it is stopped already."""
    _one_at_a_time()
    if stopped():
        raise Conflict("Billing is stopped already.")
    made = BillingStop(begins_at=now, stopped_by=actor_id, reason=reason)
    db.session.add(made)
    db.session.flush()
    audit.record("billing.stopped", "billing_stop", made.id, now, actor_id=actor_id, reason=reason)
    board.show(now)


def lift(actor_id: int, reason: str, now: datetime) -> None:
    """Let minutes be charged again. Raises Conflict where billing is not stopped."""
    _one_at_a_time()
    found = standing()
    if found is None:
        raise Conflict("Billing is not stopped.")
    found.lifted_at, found.lifted_by, found.lift_reason = now, actor_id, reason
    db.session.flush()
    audit.record(
        "billing.resumed",
        "billing_stop",
        found.id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"stopped_at": found.begins_at.isoformat()},
    )
    board.show(now)


def _one_at_a_time() -> None:
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('billing_stop'))"))
