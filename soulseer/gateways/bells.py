"""Bells, in Redis: somebody's page should look into PostgreSQL, since something waits for them there (a ring, a turn).

A bell is only a hint. One that is not there says "nothing" as far as this memory reaches back, one that is there says
"look"; the truth is in PostgreSQL. Redis may lose them all: ``since`` is when this memory began.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from soulseer.domain.errors import PresenceUnavailable

SINCE = "bells:since"

# A newer bell is not stilled by one who answered the older.
_STILL = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


@dataclass(frozen=True)
class Heard:
    """``mark`` names the bell that is there, None for none; ``since``: nothing before it is remembered (UTC)."""

    mark: str | None
    since: datetime


def _key(person_id: int) -> str:
    return f"bell:{person_id}"


class Bells:
    """Raises PresenceUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._still = redis.register_script(_STILL)

    def ring(self, person_id: int, mark: str, lasts: timedelta) -> None:
        """Leave a bell for the person; a later one takes its place."""
        try:
            self.redis.set(_key(person_id), mark, px=max(1, int(lasts / timedelta(milliseconds=1))))
        except RedisError as error:
            raise PresenceUnavailable from error

    def heard(self, person_id: int) -> Heard:
        """The person's bell. One command, but for the very first time."""
        try:
            mark, since = cast(list[Any], self.redis.mget(_key(person_id), SINCE))
            if since is None:
                now = datetime.now(UTC)
                self.redis.set(SINCE, int(now.timestamp()), nx=True)
                return Heard(mark, now)
        except RedisError as error:
            raise PresenceUnavailable from error
        return Heard(mark, datetime.fromtimestamp(int(since), UTC))

    def still(self, person_id: int, mark: str) -> None:
        """Take the bell ``mark`` away, if it is still that one."""
        try:
            self._still(keys=[_key(person_id)], args=[mark])
        except RedisError as error:
            raise PresenceUnavailable from error
