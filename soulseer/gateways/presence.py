"""Signs of life of participants, in Redis. Heartbeats never touch PostgreSQL (design §4, Presence).

One sorted set: member ``{session}:{role}``, score the last sign of life in microseconds. Redis may lose it all:
``epoch`` is the instant from which this memory reaches back; who is silent is judged one time-out after it.

What the pages measured of their calls is gathered beside it until it is written down (services/connections.py): one
sorted set for each participant, scored likewise.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from soulseer.domain.errors import PresenceUnavailable
from soulseer.gateways.bells import Bells
from soulseer.gateways.board import Board

SIGNS = "presence:signs"
EPOCH = "presence:epoch"
SEEDED = "presence:seeded"
MEASURED = "presence:measured"
# A beat brings a measurement every ten seconds; pages of one person in several tabs count as one, and what comes more
# often than this, or beyond four hours, is dropped.
_LIMITS = "local CLOSEST, MOST, SECONDS = 3000000, 1440, 172800"

# Returns {epoch, client's sign, reader's sign} as they were; then records the caller's sign, unless a gap longer than
# the time-out must first be booked as a drop (the caller records it once that is committed).
_TOUCH = (
    _LIMITS
    + """
redis.call('SET', KEYS[2], ARGV[6], 'NX')
local epoch = redis.call('GET', KEYS[2])
local client = redis.call('ZSCORE', KEYS[1], ARGV[2] .. ':client')
local reader = redis.call('ZSCORE', KEYS[1], ARGV[2] .. ':reader')
if ARGV[3] ~= '' then
  local own = client
  if ARGV[3] == 'reader' then own = reader end
  if ARGV[5] == '1' or not own
      or tonumber(ARGV[1]) - math.max(tonumber(own), tonumber(ARGV[7])) <= tonumber(ARGV[4]) then
    redis.call('ZADD', KEYS[1], 'GT', ARGV[1], ARGV[2] .. ':' .. ARGV[3])
  end
end
local measured = 0
if ARGV[8] ~= '' then
  local last = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  if not last[2] or tonumber(ARGV[1]) - tonumber(last[2]) >= CLOSEST then
    redis.call('ZADD', KEYS[3], ARGV[1], ARGV[1] .. '|' .. ARGV[8])
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - MOST)
    redis.call('EXPIRE', KEYS[3], SECONDS)
  end
  measured = redis.call('ZCARD', KEYS[3])
end
return {epoch, client, reader, measured}
"""
)


def _microseconds(instant: datetime) -> int:
    return int((instant - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def _new_epoch(now: datetime) -> int:
    # Just before the first sign, so that no sign equals it; and never ahead of the real clock, whatever a replay says.
    return _microseconds(min(now, datetime.now(UTC))) - 1


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(float(value)))


@dataclass(frozen=True)
class Signs:
    """Last signs of life, UTC. None: not known. ``epoch``: nothing before it is remembered. ``measured``: how many
    measurements of the caller's wait to be written down, where the call brought one."""

    epoch: datetime
    client: datetime | None
    reader: datetime | None
    measured: int = 0


class PresenceGateway:
    """Raises PresenceUnavailable when Redis does not answer."""

    def __init__(self, url: str) -> None:
        self.redis: Redis = Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=2, decode_responses=True, health_check_interval=30
        )
        self._touch = self.redis.register_script(_TOUCH)
        self.bells = Bells(self.redis)
        self.board = Board(self.redis)

    def touch(
        self,
        session_id: int,
        role: str | None,
        now: datetime,
        timeout: timedelta,
        *,
        even_after_gap: bool = False,
        witnessed_until: datetime | None = None,
        measured: str = "",
    ) -> Signs:
        """Record that ``role`` of the session was there at ``now``; gives the signs as they were before. ``measured``
        is what its page tells of the call (services/connections.py), kept in the same round trip.

        After a gap longer than ``timeout`` (since the last sign or ``witnessed_until``) nothing is recorded unless
        ``even_after_gap``: the drop comes first. With ``role`` None only reads.
        """
        arguments: list[str | int] = [
            _microseconds(now),
            session_id,
            role or "",
            int(timeout / timedelta(microseconds=1)),
            int(even_after_gap),
            _new_epoch(now),
            0 if witnessed_until is None else _microseconds(witnessed_until),
            measured,
        ]
        try:
            epoch, client, reader, waiting = self._touch(
                keys=[SIGNS, EPOCH, f"{MEASURED}:{session_id}:{role}"], args=arguments
            )
        except RedisError as error:
            raise PresenceUnavailable from error
        began = cast(datetime, _instant(epoch))
        return Signs(began, self._known(client, began), self._known(reader, began), int(waiting))

    @staticmethod
    def _known(score: Any, epoch: datetime) -> datetime | None:
        # A seeded member carries the epoch itself as its score: it is on the list, but nobody saw it.
        instant = _instant(score)
        return None if instant is None or instant == epoch else instant

    def unseen_since(
        self, now: datetime, timeout: timedelta, live: Iterable[int]
    ) -> tuple[set[int], datetime]:
        """(sessions with a participant not seen within ``timeout`` of ``now`` or not known to be there, epoch).

        ``live`` (read only if this memory is new) are the ids of the active sessions, so that those of whom Redis
        remembers nothing are on the list too.
        """
        try:
            self.redis.set(EPOCH, _new_epoch(now), nx=True)
            epoch = int(cast(str, self.redis.get(EPOCH)))
            if not self.redis.exists(SEEDED):
                self._seed(live, epoch)
            # Everything up to the time-out, and what was seeded (score = epoch) and not seen since.
            latest = max(_microseconds(now - timeout) - 1, epoch)
            members = cast(list[str], self.redis.zrangebyscore(SIGNS, "-inf", latest))
        except RedisError as error:
            raise PresenceUnavailable from error
        return {int(member.split(":", 1)[0]) for member in members}, cast(datetime, _instant(epoch))

    def _seed(self, live: Iterable[int], epoch: int) -> None:
        batch: dict[str, int] = {}
        for session_id in live:
            batch[f"{session_id}:client"] = batch[f"{session_id}:reader"] = epoch
            if len(batch) >= 10_000:
                self.redis.zadd(SIGNS, cast(Any, batch), nx=True)
                batch = {}
        if batch:
            self.redis.zadd(SIGNS, cast(Any, batch), nx=True)
        self.redis.set(SEEDED, 1)

    def forget(self, session_ids: Iterable[int]) -> None:
        """Drop what is remembered of ended sessions."""
        members = [f"{session_id}:{role}" for session_id in session_ids for role in ("client", "reader")]
        if members:
            try:
                self.redis.zrem(SIGNS, *members)
            except RedisError as error:
                raise PresenceUnavailable from error

    def measured(self, session_id: int) -> dict[str, list[str]]:
        """What was measured and is not forgotten yet, by role, oldest first: ``microseconds|…`` each."""
        try:
            pipeline = self.redis.pipeline(transaction=False)
            for role in ("client", "reader"):
                pipeline.zrange(f"{MEASURED}:{session_id}:{role}", 0, -1)
            client, reader = pipeline.execute()
        except RedisError as error:
            raise PresenceUnavailable from error
        return {"client": client, "reader": reader}

    def forget_measured(self, session_id: int, role: str, until: datetime) -> None:
        """Drop what ``role`` measured up to ``until``: it is written down."""
        try:
            self.redis.zremrangebyscore(f"{MEASURED}:{session_id}:{role}", "-inf", _microseconds(until))
        except RedisError as error:
            raise PresenceUnavailable from error
