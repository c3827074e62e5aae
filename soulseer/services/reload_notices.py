"""What people with automatic top-ups are told when a hold on their spending stops these, and when they go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import func, select

from soulseer.db import db
from soulseer.models.auto_reload import AutoReload
from soulseer.models.disputes import SpendingHold
from soulseer.services import mail


@contextmanager
def telling(person_id: int, frozen: Callable[[int], str | None], now: datetime) -> Iterator[None]:
    """Around a change of the person's holds: a mail where it stops their automatic top-ups or lets them go on. A hold
    beside another, or one in the place of another, changes nothing. ``frozen``: ``holds.spending_frozen``."""
    before = frozen(person_id)
    yield
    after = frozen(person_id)
    if (before is None) == (after is None):
        return
    enabled = select(AutoReload.person_id).where(AutoReload.person_id == person_id, AutoReload.enabled)
    if db.session.scalar(enabled) is None:
        return
    last = db.session.scalar(select(func.max(SpendingHold.id)).where(SpendingHold.person_id == person_id))
    template = "auto_reload_resumed" if after is None else "auto_reload_paused"
    mail.queue(person_id, template, {"why": after or ""}, now, key=f"{template}:{last}")
