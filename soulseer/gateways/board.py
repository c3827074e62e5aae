"""What every page must tell at once (all billing stopped, the tick paused), in Redis: a hint that costs a page no SQL.

The truth is in PostgreSQL, and money asks there. Redis may lose the hint: jobs write it again from the rows.
"""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import structlog
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

KEY = "board"
# A process looks into Redis once in so many seconds: nobody's page is older than that.
LOOKS_EVERY = 3.0


@dataclass(frozen=True)
class Notices:
    """``billing_stopped_at`` and ``tick_paused_until`` (UTC), None where not."""

    billing_stopped_at: datetime | None = None
    tick_paused_until: datetime | None = None

    def paused_at(self, now: datetime) -> bool:
        """Whether the billing tick is paused at ``now``."""
        return self.tick_paused_until is not None and now < self.tick_paused_until


NOTHING = Notices()


class Board:
    """Never raises: without Redis a page shows what this process saw last."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._seen = NOTHING
        self._looked = float("-inf")

    def put(self, notices: Notices) -> None:
        """Show ``notices`` on every page from now on, in other processes within LOOKS_EVERY seconds."""
        told = {name: value and value.isoformat() for name, value in vars(notices).items()}
        self._seen, self._looked = notices, time.monotonic()
        try:
            if notices == NOTHING:
                self.redis.delete(KEY)
            else:
                self.redis.set(KEY, json.dumps(told))
        except RedisError:
            log.warning("board_not_written")

    def read(self) -> Notices:
        """What is to be shown; at most one command to Redis in LOOKS_EVERY seconds."""
        if time.monotonic() - self._looked < LOOKS_EVERY:
            return self._seen
        self._looked = time.monotonic()
        try:
            text = cast(str | None, self.redis.get(KEY))
        except RedisError:
            log.warning("board_not_read")
            return self._seen
        told = json.loads(text) if text else {}
        self._seen = Notices(
            **{name: value and datetime.fromisoformat(value) for name, value in told.items()}
        )
        return self._seen
