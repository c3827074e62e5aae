"""Reading sessions as they are once finished, made without the live machinery."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from sqlalchemy import delete

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import share_of
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import LiveParticipant, ReadingSession
from soulseer.services import ledger
from tests.factories import START

_minutes = count()


def finished(
    client_id: int,
    reader_id: int,
    *,
    minutes: int = 3,
    rate_cents: int = 199,
    credit_cents: int = 0,
    state: str = "finalized",
    now: datetime | None = None,
) -> int:
    """A session that is over (its id); no money moves: this is for what pages and reviews make of it."""
    return _session(
        client_id, reader_id, rate_cents, now, state=state, minutes_billed=minutes, credit_cents=credit_cents,
        ended_at=START, end_reason="client_ended" if minutes else "no_answer",
        finalized_at=START if state == "finalized" else None,
    )  # fmt: skip


def waiting(client_id: int, reader_id: int, *, rate_cents: int = 199, now: datetime | None = None) -> int:
    """A session that rings (its id)."""
    made = _session(client_id, reader_id, rate_cents, now, state="waiting")
    with transaction():
        for person_id in (client_id, reader_id):
            db.session.add(LiveParticipant(person_id=person_id, reading_session_id=made))
    return made


def over(session_id: int) -> None:
    """End a session that rang: nobody answered."""
    with transaction():
        made = db.session.get_one(ReadingSession, session_id)
        made.state, made.ended_at, made.end_reason = "ended", made.ring_until, "no_answer"
        db.session.execute(delete(LiveParticipant).where(LiveParticipant.reading_session_id == session_id))


def rate(reader_id: int, *stars: int) -> None:
    """Give a reader a rating without the readings behind it."""
    with transaction():
        reader = db.session.get_one(ReaderProfile, reader_id)
        reader.rating_sum += sum(stars)
        reader.rating_count += len(stars)


def _session(client_id: int, reader_id: int, rate_cents: int, now: datetime | None, **values: object) -> int:
    at = now or START + timedelta(minutes=next(_minutes))
    with transaction():
        made = ReadingSession(
            client_id=client_id,
            reader_id=reader_id,
            client_account_id=ledger.account_id(AccountKind.CLIENT_WALLET, client_id),
            reader_account_id=ledger.account_id(AccountKind.READER_EARNINGS_PENDING, reader_id),
            created_at=at,
            ring_until=at + timedelta(minutes=2),
            rate_cents=rate_cents,
            reader_rate_cents=share_of(rate_cents, Decimal("0.70")),
            minimum_minutes=1,
            reader_share=Decimal("0.70"),
            modality="text",
            channel=uuid.uuid4().hex,
            **values,
        )
        db.session.add(made)
        db.session.flush()
        return made.id
