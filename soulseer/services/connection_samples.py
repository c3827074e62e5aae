"""What the pages measured of their calls: as text in Redis until it is written down, then as compact records.

A record has 22 bytes, big-endian: tenths of a second since the row's ``began_at`` (4), round trip in milliseconds (2),
loss in tenths of a percent (2), kilobits a second (4), freezes so far (2), jitter in milliseconds (2), quality as its
place in QUALITIES (1), one unused byte (1), the page's tab (4). All ones in a field: not known.
"""

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain.connections import QUALITIES, Sample
from soulseer.domain.errors import PresenceUnavailable
from soulseer.models.connections import ConnectionRecord

_RECORD = struct.Struct(">IHHIHHBBI")
_UNKNOWN = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFF, 0xFFFF)
_START = datetime(1970, 1, 1, tzinfo=UTC)
# From so many on (ten minutes of one participant's), they are written down with whatever is written next.
ENOUGH = 60


def as_text(statistics: Mapping[str, Any], tab: int) -> str:
    """A page's statistics as they wait in Redis: ``round trip|loss in tenths|bitrate|freezes|jitter|quality|tab``."""
    loss = statistics.get("loss_percent")
    fields = (
        statistics.get("round_trip_ms"),
        None if loss is None else loss * 10,
        statistics.get("bitrate_kbps"),
        statistics.get("freezes"),
        statistics.get("jitter_ms"),
    )
    quality = QUALITIES.index(statistics.get("quality") or QUALITIES[0])
    return "|".join(
        ["" if value is None else str(round(value)) for value in fields] + [str(quality), str(tab)]
    )


def _fields(line: str) -> tuple[datetime, list[int]]:
    """When it was measured, and the record's fields after the first."""
    at, *measured, quality, tab = line.split("|")
    known = [int(value) if value else unknown for value, unknown in zip(measured, _UNKNOWN, strict=True)]
    limited = [min(value, unknown) for value, unknown in zip(known, _UNKNOWN, strict=True)]
    return _START + timedelta(microseconds=int(at)), [*limited, int(quality), 0, int(tab)]


def gathered(session_id: int) -> dict[str, list[str]]:
    """What waits in Redis, by role; nothing where Redis is away: then the evidence has a hole, never the bill."""
    try:
        return gateways.current().presence.measured(session_id)
    except PresenceUnavailable:
        return {}


def keep(session_id: int, lines: Mapping[str, Sequence[str]]) -> None:
    """Write down what ``gathered`` gave, one row a participant; what was written before is left out, and Redis forgets
    it after the commit. Call it under the session's lock."""
    for role, waiting in lines.items():
        reached = db.session.scalar(
            select(func.max(ConnectionRecord.ended_at)).where(
                ConnectionRecord.reading_session_id == session_id, ConnectionRecord.role == role
            )
        )
        found = [one for one in map(_fields, waiting) if reached is None or one[0] > reached]
        if found:
            _write(session_id, role, found)


def _write(session_id: int, role: str, found: Sequence[tuple[datetime, list[int]]]) -> None:
    began, ended = found[0][0], found[-1][0]
    records = [_RECORD.pack((at - began) // timedelta(milliseconds=100), *fields) for at, fields in found]
    db.session.execute(
        upsert(ConnectionRecord)
        .values(
            reading_session_id=session_id,
            role=role,
            began_at=began,
            ended_at=ended,
            count=len(records),
            samples=b"".join(records),
        )
        .on_conflict_do_nothing()
    )
    after_commit(lambda: gateways.current().presence.forget_measured(session_id, role, ended))


def of(session_id: int) -> dict[str, list[Sample]]:
    """All that was measured of a session and written down, by role, oldest first. One statement."""
    found: dict[str, list[Sample]] = {"client": [], "reader": []}
    rows = db.session.scalars(
        select(ConnectionRecord)
        .where(ConnectionRecord.reading_session_id == session_id)
        .order_by(ConnectionRecord.began_at)
    )
    for row in rows:
        found[row.role] += [_sample(row.began_at, record) for record in _RECORD.iter_unpack(row.samples)]
    return found


def _sample(began: datetime, record: tuple[int, ...]) -> Sample:
    tenths, *measured, quality, _unused, tab = record
    round_trip, loss, bitrate, freezes, jitter = (
        None if value == unknown else value for value, unknown in zip(measured, _UNKNOWN, strict=True)
    )
    return Sample(
        at=began + tenths * timedelta(milliseconds=100),
        round_trip_ms=round_trip,
        loss_percent=None if loss is None else Decimal(loss) / 10,
        bitrate_kbps=bitrate,
        freezes=freezes,
        jitter_ms=jitter,
        quality=QUALITIES[quality],
        tab=tab,
    )


def forget_before(before: datetime) -> int:
    """Delete measurements that ended before ``before``; how many rows there were."""
    gone = db.session.execute(delete(ConnectionRecord).where(ConnectionRecord.ended_at < before))
    return int(gone.rowcount)  # type: ignore[attr-defined]
