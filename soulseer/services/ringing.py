"""A client rings a reader: who hears it, and what becomes of a reader who does not answer (docs/room.md, Ringing).

The ring is the session's row; a bell in Redis says that there is one, so that pages may ask every few seconds.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import and_, func, not_, select

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.errors import PresenceUnavailable
from soulseer.domain.readings import EndReason, State
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.services import audit, dashboards, mail, waiting, waiting_view
from soulseer.services.waiting_view import News

log = structlog.get_logger(__name__)

# A bell outlives what it tells of by this, so that clocks may differ.
SLACK = timedelta(minutes=1)

_reader: Any = ReaderProfile.__table__
# Beside the person that a request reads first: no statement of its own.
ONLINE_OF_PERSON = func.coalesce(
    select(_reader.c.online)
    .where(_reader.c.person_id == Person.__table__.c.id)
    .correlate(Person.__table__)
    .scalar_subquery(),
    False,
)


@dataclass(frozen=True)
class Ring:
    """A client rings this reader: their handle, dollars a minute, and until when (UTC)."""

    reading_session_id: int
    name: str
    modality: str
    rate: Decimal
    ring_until: datetime


def begun(session: ReadingSession, now: datetime) -> None:
    """Have the reader's pages ring once this transaction has committed."""
    reader_id, mark, lasts = session.reader_id, f"ring-{session.id}", session.ring_until - now + SLACK
    after_commit(lambda: gateways.current().presence.bells.ring(reader_id, mark, lasts))


def ended(session: ReadingSession, now: datetime) -> None:
    """What the end of a session means: the bell is stilled, a missed ring is counted, the next in the queue is called."""
    reader_id, mark = session.reader_id, f"ring-{session.id}"
    after_commit(lambda: gateways.current().presence.bells.still(reader_id, mark))
    if session.end_reason == EndReason.NO_ANSWER and session.reader_joined_at is None:
        _missed(session, now)
    if waiting.someone_waits(reader_id):
        waiting.wake(reader_id, now)


def look(person_id: int, now: datetime, *, fresh: bool = False) -> Ring | None:
    """The ring that this reader should hear at ``now``; see ``listen``."""
    return listen(person_id, now, online=True, waits=False, fresh=fresh)[0]


def listen(
    person_id: int, now: datetime, *, online: bool, waits: bool, fresh: bool = False
) -> tuple[Ring | None, News]:
    """What a person's pages should show at ``now``: the ring of a reader who is ``online``, the news of a client who
    ``waits``.

    One command to Redis where there is no bell and its memory is older than a ring or a turn lasts; else, and where
    ``fresh`` asks for it or Redis is away, PostgreSQL is asked.
    """
    bells = gateways.current().presence.bells
    mark = None
    try:
        heard = bells.heard(person_id)
        mark = heard.mark
        policy = policies.current()
        # By the real clock, which is what Redis remembers by.
        young = datetime.now(UTC) - heard.since <= max(policy.reading.ring, policy.waiting.hold) + SLACK
        if mark is None and not fresh and not young:
            return None, News()
    except PresenceUnavailable:
        log.warning("bells_unavailable", person=person_id)
    ring = _ring(person_id, now) if online else None
    news = waiting_view.news(person_id, now) if waits else News()
    if mark is not None and ring is None and news == News():
        bells.still(person_id, mark)
    return ring, news


def _ring(person_id: int, now: datetime) -> Ring | None:
    live = dashboards.live_reading(person_id)
    if live is None or not live.rings or live.ring_until <= now:
        return None
    return Ring(live.reading_session_id, live.other_name, live.modality, live.rate, live.ring_until)


def ring_again(now: datetime) -> int:
    """Leave the bells of all rings that wait for an answer once more, in case Redis or the hook after a commit lost
    them; how many there are."""
    rows = db.session.execute(
        select(ReadingSession.id, ReadingSession.reader_id, ReadingSession.ring_until).where(
            ReadingSession.state.in_([State.CREATED.value, State.WAITING.value]),
            ReadingSession.reader_joined_at.is_(None),
            ReadingSession.ring_until > now,
        )
    ).all()
    for row in rows:
        gateways.current().presence.bells.ring(row.reader_id, f"ring-{row.id}", row.ring_until - now + SLACK)
    return len(rows)


def _missed(session: ReadingSession, now: datetime) -> None:
    """Take the reader offline after so many rings in a row that nobody answered. Rings that the client gave up before
    count neither way; a decline is an answer."""
    most = policies.current().waiting.missed_rings
    reader = db.session.get_one(
        ReaderProfile, session.reader_id, with_for_update={"key_share": True}, populate_existing=True
    )
    given_up = and_(
        ReadingSession.reader_joined_at.is_(None),
        ReadingSession.end_reason.not_in([EndReason.NO_ANSWER.value, EndReason.DECLINED.value]),
    )
    last = db.session.execute(
        select(ReadingSession.end_reason, ReadingSession.reader_joined_at, ReadingSession.created_at)
        .where(
            ReadingSession.reader_id == reader.person_id,
            ReadingSession.id <= session.id,
            ReadingSession.end_reason.is_not(None),
            not_(given_up),
        )
        .order_by(ReadingSession.id.desc())
        .limit(most)
    ).all()
    in_a_row = len(last) == most and all(
        row.end_reason == EndReason.NO_ANSWER
        and row.reader_joined_at is None
        and (reader.online_since is None or row.created_at >= reader.online_since)
        for row in last
    )
    if not reader.online or not in_a_row:
        return
    reader.online, reader.offline_cause = False, "missed_rings"
    details = {"rings": most, "last": session.id}
    audit.record("reader.taken_offline", "reader", reader.person_id, now, details=details)
    values = {"rings": str(most)}
    mail.queue(reader.person_id, "missed_rings", values, now, key=f"missed_rings:{session.id}")
