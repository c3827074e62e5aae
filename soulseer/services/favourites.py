"""Readers whom somebody keeps at hand. Nobody else is told, not even the reader."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.errors import InvalidInput, NotFound
from soulseer.models.favourites import Favourite
from soulseer.models.readers import ReaderProfile

MOST = 500


def keep(person_id: int, slug: str, now: datetime) -> None:
    """Keep the listed reader; once more is once. Raises NotFound, InvalidInput for oneself and above MOST."""
    reader_id = _reader(slug)
    if reader_id == person_id:
        raise InvalidInput("reader", "You cannot be a favourite of your own.")
    kept = db.session.scalars(
        select(Favourite.reader_id).where(Favourite.person_id == person_id).limit(MOST)
    ).all()
    if len(kept) >= MOST and reader_id not in kept:
        raise InvalidInput("reader", f"You can keep {MOST} favourites.")
    db.session.execute(
        upsert(Favourite)
        .values(person_id=person_id, reader_id=reader_id, created_at=now)
        .on_conflict_do_nothing(index_elements=["person_id", "reader_id"])
    )


def let_go(person_id: int, slug: str) -> None:
    """Keep the reader no longer, listed or not; one who was not kept stays so. Raises NotFound."""
    reader_id = _reader(slug, listed=False)
    db.session.execute(
        delete(Favourite).where(Favourite.person_id == person_id, Favourite.reader_id == reader_id)
    )


def _reader(slug: str, *, listed: bool = True) -> int:
    query = select(ReaderProfile.person_id).where(ReaderProfile.slug == slug)
    if listed:
        query = query.where(ReaderProfile.listed)
    found: int | None = db.session.scalar(query)
    if found is None:
        raise NotFound("There is no reader of this name.")
    return found
