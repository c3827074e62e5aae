"""What a receipt says, word for word: the text that is signed, and the same worked out anew from the books.

The text is JSON with sorted keys and no spaces, so that the same facts are always the same bytes. Amounts are dollars
as strings with two decimals, instants ISO 8601 UTC with microseconds.
"""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.money import from_cents
from soulseer.domain.readings import PauseCause
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import ReadingMinute
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession, ReadingSessionEvent
from soulseer.services import receipt_movements, stretches

VERSION = 1
# Without letters and digits that are read for one another.
CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH = 12
NOTHING = Decimal("0.00")


def new_code() -> str:
    """A receipt's name outside; nobody finds another one by guessing."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def compose(session: ReadingSession, code: str, issued_at: datetime) -> str:
    """The text to be signed for a session that is being finalized at ``issued_at``."""
    client, reader, reader_name = db.session.execute(
        select(
            select(Person.handle).where(Person.id == session.client_id).scalar_subquery(),
            select(Person.handle).where(Person.id == session.reader_id).scalar_subquery(),
            select(ReaderProfile.display_name)
            .where(ReaderProfile.person_id == session.reader_id)
            .scalar_subquery(),
        )
    ).one()
    facts = worked_out(session, receipt_movements.of(session.id), issued_at)
    facts |= {
        "version": VERSION,
        "receipt": code,
        "client_handle": client,
        "reader_handle": reader,
        "reader_name": reader_name,
    }
    return canonical(facts)


def worked_out(
    session: ReadingSession, movements: Sequence[receipt_movements.Movement], issued_at: datetime
) -> dict[str, Any]:
    """What the books say now of the session as it was at ``issued_at``: all of a statement but names and code."""
    minutes = db.session.execute(
        select(ReadingMinute.charged_at, ReadingMinute.amount_cents)
        .where(ReadingMinute.reading_session_id == session.id)
        .order_by(ReadingMinute.minute)
    ).all()
    events = db.session.scalars(
        select(ReadingSessionEvent)
        .where(ReadingSessionEvent.reading_session_id == session.id)
        .order_by(ReadingSessionEvent.id)
    ).all()
    booked = receipt_movements.at_issue(movements, issued_at)
    charged = from_cents(sum(row.amount_cents for row in minutes))
    credited = sum((one.client for one in booked if one.kind is TransferKind.FAIR_CREDIT), NOTHING)
    return {
        "session": session.id,
        "client": session.client_id,
        "reader": session.reader_id,
        "modality": session.modality,
        "rate": _amount(session.rate),
        "currency": session.currency,
        "requested_at": _instant(session.created_at),
        "started_at": _instant(session.activated_at),
        "ended_at": _instant(session.ended_at),
        "end_reason": session.end_reason,
        "issued_at": _instant(issued_at),
        "minutes": len(minutes),
        "minutes_charged_at": [_instant(row.charged_at) for row in minutes],
        "pauses": [
            [_instant(pause.since), _instant(pause.until), PauseCause(pause.cause).value]
            for pause in stretches.of_events(events)
            if pause.cause is not None
        ],
        "charged": _amount(charged),
        "credited": _amount(credited),
        "total": _amount(charged - credited),
        "ledger_transactions": [one.id for one in booked],
    }


def canonical(facts: dict[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _amount(dollars: Decimal) -> str:
    return f"{dollars:.2f}"


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
