"""What two pages of a conversation tell each other every second, in Redis: the number of the last message, who writes, up to
which message each has got them and read them. One round trip a poll; all of it may be lost and comes again by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from soulseer.domain.errors import PresenceUnavailable

KEPT_SECONDS = 86_400
# A mark of the last message is believed for so long; then PostgreSQL is asked again. So a process that died between its
# commit and its mark delays a message by this at most.
BELIEVED_FOR = timedelta(seconds=10)
TYPING_FOR = timedelta(seconds=4)

# What only ever rises. KEYS[1] is the session's.
_RAISE = """
local function raise(field, value)
  local known = tonumber(redis.call('HGET', KEYS[1], field) or '-1')
  if tonumber(value) > known then redis.call('HSET', KEYS[1], field, value) end
end
"""
_KEEP = f"redis.call('EXPIRE', KEYS[1], {KEPT_SECONDS})"
# ARGV: own role, the other's, now, delivered, read, typing until (0: no longer; '': says nothing).
_EXCHANGE = f"""{_RAISE}
raise(ARGV[1] .. ':delivered', ARGV[4])
raise(ARGV[1] .. ':read', ARGV[5])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], ARGV[1] .. ':typing', ARGV[6]) end
{_KEEP}
return redis.call('HMGET', KEYS[1], 'last', 'last_at', ARGV[2] .. ':typing', ARGV[2] .. ':delivered', ARGV[2] .. ':read')
"""
# ARGV: now, last, then pairs of field and value.
_LEARN = f"""{_RAISE}
raise('last', ARGV[2])
redis.call('HSET', KEYS[1], 'last_at', ARGV[1])
for place = 3, #ARGV, 2 do raise(ARGV[place], ARGV[place + 1]) end
{_KEEP}
"""


@dataclass(frozen=True)
class Heard:
    """What is known of the other side; ``last`` is None where PostgreSQL has to be asked. ``delivered`` and ``read`` are
    message numbers, None where nothing is known."""

    last: int | None
    typing: bool
    delivered: int | None
    read: int | None


class TalkGateway:
    """Raises PresenceUnavailable when Redis does not answer."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=2, decode_responses=True, health_check_interval=30
        )
        self._exchange = self._redis.register_script(_EXCHANGE)
        self._learn = self._redis.register_script(_LEARN)

    def exchange(
        self,
        session_id: int,
        role: str,
        other: str,
        now: datetime,
        *,
        delivered: int,
        read: int,
        typing: bool | None,
    ) -> Heard:
        """Tell that ``role`` has got messages up to ``delivered`` and read them up to ``read``, and whether they write
        (None: says nothing); hear of ``other``."""
        at = _milliseconds(now)
        until = "" if typing is None else str(_milliseconds(now + TYPING_FOR)) if typing else "0"
        try:
            last, last_at, writes, got, seen = self._exchange(
                keys=[_key(session_id)], args=[role, other, at, delivered, read, until]
            )
        except RedisError as error:
            raise PresenceUnavailable from error
        fresh = last is not None and abs(at - int(last_at)) <= BELIEVED_FOR / timedelta(milliseconds=1)
        return Heard(
            int(last) if fresh else None,
            writes is not None and int(writes) > at,
            None if got is None else int(got),
            None if seen is None else int(seen),
        )

    def learn(self, session_id: int, last: int, now: datetime, marks: dict[str, tuple[int, int]]) -> None:
        """Remember that ``last`` is the last message, and ``marks``: role → (delivered, read)."""
        pairs: list[str | int] = []
        for role, (delivered, read) in marks.items():
            pairs += [f"{role}:delivered", delivered, f"{role}:read", read]
        try:
            self._learn(keys=[_key(session_id)], args=[_milliseconds(now), last, *pairs])
        except RedisError as error:
            raise PresenceUnavailable from error

    def marks(self, session_id: int) -> dict[str, tuple[int, int]]:
        """Role → (delivered, read), of those of whom anything is known."""
        try:
            found = cast(dict[str, str], self._redis.hgetall(_key(session_id)))
        except RedisError as error:
            raise PresenceUnavailable from error
        return {
            role: (int(found[f"{role}:delivered"]), int(found.get(f"{role}:read", 0)))
            for role in ("client", "reader")
            if f"{role}:delivered" in found
        }


def _key(session_id: int) -> str:
    return f"talk:{session_id}"


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
