"""Whose turn it is: one reader's queue and notices, brought up to now (services/waiting.py)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import or_, select

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import LiveParticipant
from soulseer.models.waiting import FreeNotice, QueuePlace
from soulseer.services import mail, waiting

SLACK = timedelta(minutes=1)


def due_readers(now: datetime) -> list[int]:
    """Readers for whom something may have to be done at ``now``: those with a queue, those who are free and of whom
    somebody wants to be told, and those of whom a notice runs out."""
    queued = select(QueuePlace.reader_id).where(QueuePlace.state.in_(waiting.LIVE))
    busy = select(LiveParticipant.person_id)
    awaited = (
        select(FreeNotice.reader_id)
        .join(ReaderProfile, ReaderProfile.person_id == FreeNotice.reader_id)
        .where(FreeNotice.state == "open", ReaderProfile.online, FreeNotice.reader_id.not_in(busy))
    )
    over = select(FreeNotice.reader_id).where(
        FreeNotice.state.in_(("open", "told")), FreeNotice.expires_at <= now
    )
    return sorted({*db.session.scalars(queued), *db.session.scalars(awaited), *db.session.scalars(over)})


def tend(reader_id: int, now: datetime) -> dict[str, int]:
    """Bring the reader's queue and notices up to ``now``, in one transaction: counts of held, lapsed, closed, told,
    expired."""
    counts = dict.fromkeys(("held", "lapsed", "closed", "told", "expired"), 0)
    places = list(
        db.session.scalars(
            select(QueuePlace)
            .where(QueuePlace.reader_id == reader_id, QueuePlace.state.in_(waiting.LIVE))
            .order_by(QueuePlace.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
    reader = db.session.get_one(ReaderProfile, reader_id, populate_existing=True)
    if not _takes_readings(reader):
        for place in places:
            _close(place, "reader_offline", now)
            waiting.open_notice(place.client_id, reader_id, now)
            values = {"reader": reader.display_name}
            mail.queue(place.client_id, "queue_closed", values, now, key=f"queue_closed:{place.id}")
        counts["closed"] = len(places)
    elif waiting.is_live(reader_id):
        # Nobody's turn runs out while there is nobody to ring.
        for place in places:
            if place.state == "held":
                place.held_until = now + policies.current().waiting.hold
    else:
        _call_next(reader, places, now, counts)
        if not any(place.state in waiting.LIVE for place in places):
            counts["told"] = _tell(reader, now)
    counts["expired"] = _expire(reader_id, now)
    db.session.flush()
    return counts


def _takes_readings(reader: ReaderProfile) -> bool:
    suspended = db.session.scalar(select(Person.suspended_at).where(Person.id == reader.person_id))
    return reader.online and reader.listed and reader.status == "verified" and suspended is None


def _call_next(
    reader: ReaderProfile, places: Iterable[QueuePlace], now: datetime, counts: dict[str, int]
) -> None:
    """A turn that ran out lapses; the first who can ring has the next one."""
    for place in places:
        if place.state == "held":
            assert place.held_until is not None
            if place.held_until > now:
                return
            place.state, place.closed_at = "lapsed", now
            counts["lapsed"] += 1
            continue
        cause = _why_not(place, now)
        if cause is not None:
            _close(place, cause, now)
            counts["closed"] += 1
            continue
        # The lapse of another is written first: one turn at a time is the database's rule.
        db.session.flush()
        place.state, place.held_until = "held", now + policies.current().waiting.hold
        counts["held"] += 1
        values = {"reader": reader.display_name, "slug": reader.slug, "until": place.held_until.isoformat()}
        mail.queue(place.client_id, "queue_turn", values, now, key=f"queue_turn:{place.id}")
        _ring(place.client_id, f"turn-{place.id}", policies.current().waiting.hold)
        return


def _why_not(place: QueuePlace, now: datetime) -> str | None:
    """Why the client cannot ring now; None where they can."""
    if db.session.scalar(select(Person.suspended_at).where(Person.id == place.client_id)) is not None:
        return "suspended"
    if waiting.blocked(place.client_id, place.reader_id):
        return "blocked"
    if waiting.is_live(place.client_id):
        return "client_busy"
    if waiting.missing(place.client_id, place.reader_id, now) > 0:
        return "funds"
    return None


def _close(place: QueuePlace, cause: str, now: datetime) -> None:
    place.state, place.cause, place.closed_at = "closed", cause, now


def _tell(reader: ReaderProfile, now: datetime) -> int:
    """Tell everybody who asked for it that the reader is free; how many."""
    notices = list(
        db.session.scalars(
            select(FreeNotice)
            .where(
                FreeNotice.reader_id == reader.person_id,
                FreeNotice.state == "open",
                FreeNotice.expires_at > now,
            )
            .order_by(FreeNotice.id)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
    )
    told = 0
    for notice in notices:
        if waiting.blocked(notice.client_id, notice.reader_id):
            notice.state = "cancelled"
            continue
        notice.state, notice.told_at = "told", now
        told += 1
        values = {"reader": reader.display_name, "slug": reader.slug}
        mail.queue(notice.client_id, "reader_free", values, now, key=f"reader_free:{notice.id}")
        _ring(notice.client_id, f"free-{notice.id}", notice.expires_at - now)
    return told


def _expire(reader_id: int, now: datetime) -> int:
    over = db.session.scalars(
        select(FreeNotice)
        .where(
            FreeNotice.reader_id == reader_id,
            or_(FreeNotice.state == "open", FreeNotice.state == "told"),
            FreeNotice.expires_at <= now,
        )
        .with_for_update(skip_locked=True)
    ).all()
    for notice in over:
        notice.state = "expired"
    return len(over)


def _ring(person_id: int, mark: str, lasts: timedelta) -> None:
    after_commit(lambda: gateways.current().presence.bells.ring(person_id, mark, lasts + SLACK))


def ring_again(now: datetime) -> int:
    """The bells of the turns that run, once more, in case Redis lost them; how many there are."""
    rows = db.session.execute(
        select(QueuePlace.id, QueuePlace.client_id, QueuePlace.held_until).where(
            QueuePlace.state == "held", QueuePlace.held_until > now
        )
    ).all()
    for row in rows:
        gateways.current().presence.bells.ring(row.client_id, f"turn-{row.id}", row.held_until - now + SLACK)
    return len(rows)
