"""/api/sessions/{id}/tips/ and /person-note/: what a program may do for a reading's client after it (or in it)."""

import uuid
from datetime import datetime
from typing import Any

from flask import Blueprint, Response

from soulseer.blueprints import limits
from soulseer.blueprints.api_input import idempotency_key
from soulseer.blueprints.api_sessions import NoteRequest
from soulseer.blueprints.api_support import api_route, once
from soulseer.blueprints.api_types import Amount, ApiModel, Instant, Money
from soulseer.db import transaction
from soulseer.domain import clock, errors
from soulseer.domain.money import CURRENCY
from soulseer.services import notes, readings, tips
from soulseer.services.people import SignedIn

blueprint = Blueprint("api_afterwards", __name__, url_prefix="/api/sessions")


class TipRequest(ApiModel):
    amount: Amount


class TipAnswer(ApiModel):
    """Of `amount`, `reader_part` is the reader's and `platform_part` the platform's."""

    transaction_id: int
    session_id: int
    amount: Money
    reader_part: Money
    platform_part: Money
    currency: str
    created_at: Instant


@blueprint.post("/<int:session_id>/tips/")
@api_route(
    "Give the reader a tip",
    body=TipRequest,
    answer=TipAnswer,
    status=201,
    errors=(
        errors.NotFound,
        errors.NotParticipant,
        errors.Conflict,
        errors.InvalidInput,
        errors.InsufficientFunds,
        errors.SpendingFrozen,
        errors.IdempotencyMismatch,
    ),
    limit=limits.MONEY,
    idempotent=True,
)
def give_tip(person: SignedIn, session_id: int, body: TipRequest) -> Response:
    """Paid from the wallet's cash, never by promotional credit. Once the reading has begun."""

    def deed(now: datetime) -> tuple[TipAnswer, int]:
        # ``once`` has the caller's key; what it lets through is a tip of its own.
        given = tips.give(session_id, person.id, body.amount, f"api:{idempotency_key() or uuid.uuid4()}", now)
        answer = TipAnswer(
            transaction_id=given.transaction_id,
            session_id=session_id,
            amount=given.split.amount,
            reader_part=given.split.reader,
            platform_part=given.split.platform,
            currency=CURRENCY,
            created_at=now,
        )
        return answer, 201

    return once(person, deed)


@blueprint.put("/<int:session_id>/person-note/")
@api_route(
    "Keep a private note on the other one, over all sessions",
    body=NoteRequest,
    errors=(errors.NotFound, errors.NotParticipant, errors.InvalidInput),
)
def put_person_note(person: SignedIn, session_id: int, body: NoteRequest) -> dict[str, Any]:
    """Seen by its author only, in every session with them; may be changed at any time."""
    with transaction():
        session = readings.find(session_id)
        readings.caller_of(session, person.id)
        about_id = session.reader_id if person.id == session.client_id else session.client_id
        notes.write_about(person.id, about_id, body.note, clock.now())
    return {"note": body.note}
