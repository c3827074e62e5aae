"""Time in a subscription: how long its periods are, and a clock of its own that the switches may move on."""

import calendar
from datetime import UTC, datetime

from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work

DAY = 24 * 3600
TOLD_BEFORE_TRIAL_ENDS = 3 * DAY
# Days between the attempts at an unpaid invoice; after the last the subscription is canceled.
RETRIES = (3, 5, 7)


def after(start: int, interval: str, anchor: int) -> int:
    """The end of the period that begins at ``start`` (Unix seconds); months keep the day of ``anchor`` as far as they have it."""
    begin, wanted = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(anchor, UTC).day
    months = begin.year * 12 + begin.month - 1 + (12 if interval == "year" else 1)
    year, month = divmod(months, 12)
    day = min(wanted, calendar.monthrange(year, month + 1)[1])
    return int(begin.replace(year=year, month=month + 1, day=day).timestamp())


def clock_of(work: Work, subscription: Document) -> Document:
    """The subscription's clock: `offset` seconds ahead of the real one, whether its card `declines`, what was told."""
    found = work.find("subscription_clock", f"{subscription['id']}:clock")
    return found or {
        "id": f"{subscription['id']}:clock",
        "object": "subscription_clock",
        "created": work.now,
        "offset": 0,
        "declines": False,
        "told_trial_end": None,
    }


def now_of(work: Work, subscription: Document) -> int:
    """The present second by the subscription's own clock."""
    return work.now + int(clock_of(work, subscription)["offset"])
