"""What two browsers tell each other to set up a call, in Redis: short-lived, capped, and nothing that must not be lost.

A hash ``call:{session}`` holds each side's seat (the page that has the call there) and the last number; a sorted set
``call:{session}:{role}`` holds what waits for that side, by number. Numbers go up even after Redis has lost it all.
"""

import json
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from soulseer.domain.errors import PresenceUnavailable

KEEP_SECONDS = 120
MOST_KEPT = 100

# ARGV: role, its seat, 1 to take the seat, the signal, seconds to keep, most kept.
# {the number, the seat that holds this side, the other side's seat}; nothing is stored for one without the seat.
_SEND = """
local now = redis.call('TIME')
local number = now[1] * 1000000 + now[2]
local last = tonumber(redis.call('HGET', KEYS[1], 'number') or '0')
if number <= last then number = last + 1 end
if ARGV[3] == '1' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
local held = redis.call('HGET', KEYS[1], ARGV[1]) or ''
local text = string.format('%.0f', number)
if held == ARGV[2] then
  redis.call('HSET', KEYS[1], 'number', text)
  redis.call('ZADD', KEYS[2], text, text .. ' ' .. ARGV[4])
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[6])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  redis.call('EXPIRE', KEYS[2], ARGV[5])
end
local other = 'client'
if ARGV[1] == 'client' then other = 'reader' end
return {text, held, redis.call('HGET', KEYS[1], other) or ''}
"""
# ARGV: role, its seat, after which number, seconds to keep. An empty seat (Redis forgot it) is taken again.
# {the seat that holds this side, the other's, signals …}
_AFTER = """
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
local held = redis.call('HGET', KEYS[1], ARGV[1])
local other = 'client'
if ARGV[1] == 'client' then other = 'reader' end
local answer = {held, redis.call('HGET', KEYS[1], other) or ''}
if held == ARGV[2] then
  for _, found in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[3], '+inf')) do
    answer[#answer + 1] = found
  end
end
return answer
"""


@dataclass(frozen=True)
class Waiting:
    """``held``: the seat that has this side of the call; ``other``: the other side's, None before it came.
    ``items``: (number, signal) in order."""

    held: str
    other: str | None
    items: tuple[tuple[int, dict[str, Any]], ...] = ()


class SignalGateway:
    """Raises PresenceUnavailable when Redis does not answer."""

    def __init__(self, url: str) -> None:
        self.redis: Redis = Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=2, decode_responses=True, health_check_interval=30
        )
        self._send = self.redis.register_script(_SEND)
        self._after = self.redis.register_script(_AFTER)

    def send(
        self, session_id: int, role: str, other: str, seat: str, signal: dict[str, Any], *, take_seat: bool
    ) -> tuple[int, Waiting]:
        """Keep ``signal`` of ``role`` for ``other``, if ``seat`` holds its side (or takes it); its number."""
        text = json.dumps(signal, separators=(",", ":"))
        number, held, theirs = self._run(
            self._send,
            [f"call:{session_id}", f"call:{session_id}:{other}"],
            [role, seat, int(take_seat), text, KEEP_SECONDS, MOST_KEPT],
        )
        return int(number), Waiting(held, theirs or None)

    def after(self, session_id: int, role: str, seat: str, number: int) -> Waiting:
        """What waits for ``role`` after ``number``; nothing where another seat holds its side."""
        held, theirs, *found = self._run(
            self._after,
            [f"call:{session_id}", f"call:{session_id}:{role}"],
            [role, seat, number, KEEP_SECONDS],
        )
        parts = (line.split(" ", 1) for line in found)
        return Waiting(held, theirs or None, tuple((int(first), json.loads(rest)) for first, rest in parts))

    @staticmethod
    def _run(script: Any, keys: list[str], arguments: list[str | int]) -> list[str]:
        try:
            return cast(list[str], script(keys=keys, args=arguments))
        except RedisError as error:
            raise PresenceUnavailable from error
