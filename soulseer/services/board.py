"""What every page tells at once, from its rows into the hint that pages read (gateways/board.py)."""

from datetime import datetime

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.gateways.board import Notices
from soulseer.models.switches import BillingStop, JobPause

TICK = "billing_tick"


def notices(now: datetime) -> Notices:
    """What stands at ``now``; one statement."""
    stopped = select(BillingStop.begins_at).where(BillingStop.lifted_at.is_(None)).scalar_subquery()
    paused = (
        select(JobPause.until)
        .where(JobPause.job == TICK, JobPause.lifted_at.is_(None), JobPause.until > now)
        .scalar_subquery()
    )
    found = db.session.execute(select(stopped, paused)).one()
    return Notices(*found)


def show(now: datetime) -> None:
    """Show what stands in this transaction, once it is committed."""
    db.session.flush()
    told = notices(now)
    after_commit(lambda: gateways.current().presence.board.put(told))


def show_again(now: datetime) -> None:
    """Write the hint anew, should Redis have lost it; one statement."""
    gateways.current().presence.board.put(notices(now))
