"""/api/sessions/: request a reading, move through it, read its meter, talk in it (contract, HTTP)."""

from datetime import datetime
from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import Field

from soulseer.blueprints import limits, room_calls
from soulseer.blueprints.api_heartbeat import Heartbeat
from soulseer.blueprints.api_support import api_route, once
from soulseer.blueprints.api_types import Amount, ApiModel, Instant, Money, Page, PageQuery, page_of
from soulseer.db import transaction
from soulseer.domain import clock, errors
from soulseer.domain.money import CURRENCY, from_cents
from soulseer.domain.readings import CeilingKind, Role
from soulseer.services import ceilings, dashboards, reading_texts, reading_tokens, readings
from soulseer.services.people import SignedIn
from soulseer.services.readings import Meter

blueprint = Blueprint("api_sessions", __name__, url_prefix="/api/sessions")

MOVE_ERRORS = (errors.NotFound, errors.NotParticipant, errors.IllegalMove, errors.RingOver, errors.GraceOver)


class SessionRequest(ApiModel):
    reader: str = Field(max_length=63, description="The reader's slug")
    modality: str = Field(max_length=10, description="text, voice or video")
    max_minutes: int | None = Field(None, description="A limit: no more minutes than these are charged")
    max_amount: Amount | None = Field(None, description="Or in dollars: as many minutes as they pay for")


class MeterAnswer(ApiModel):
    """`balance`, all that can be spent, `promotional`, the part of it that is promotional credit, and
    `affordable_minutes` are the client's only, and so is the limit that they set (`max_minutes` or `max_amount`, and how
    many minutes may still be charged by it); `earned` is the reader's. Instants are UTC."""

    id: int
    role: str
    modality: str
    state: str
    rate: Money
    currency: str
    minutes_billed: int
    cost: Money
    earned: Money | None
    balance: Money | None
    promotional: Money | None
    affordable_minutes: int | None
    now: Instant
    created_at: Instant
    ring_until: Instant
    activated_at: Instant | None
    active_since: Instant | None
    active_seconds: float
    kept_seconds: float
    paid_until: Instant | None
    covered_until: Instant | None
    grace_until: Instant | None
    pause_cause: str | None
    end_reason: str | None
    ended_at: Instant | None
    reconnects: int
    other_seen: bool
    max_minutes: int | None
    max_amount: Money | None
    ceiling_minutes_left: int | None


def meter_answer(meter: Meter) -> MeterAnswer:
    """The meter as JSON holds it."""
    session = meter.session
    own = meter.role is Role.CLIENT
    asked = session.ceiling_asked if own else None
    return MeterAnswer(
        id=session.id,
        role=meter.role.value,
        modality=session.modality,
        state=str(session.state),
        rate=session.rate,
        currency=session.currency,
        minutes_billed=session.minutes_billed,
        cost=session.cost,
        earned=session.earned if meter.role is Role.READER else None,
        balance=meter.balance,
        promotional=meter.promotional,
        affordable_minutes=None if meter.balance is None else int(meter.balance // session.rate),
        now=meter.now,
        created_at=session.created_at,
        ring_until=session.ring_until,
        activated_at=session.activated_at,
        active_since=session.active_since,
        active_seconds=session.active_microseconds / 1_000_000,
        kept_seconds=session.kept_microseconds / 1_000_000,
        paid_until=session.paid_until,
        covered_until=session.covered_until,
        grace_until=session.grace_until if session.state in ("paused", "reconnecting") else None,
        pause_cause=session.pause_cause and str(session.pause_cause),
        end_reason=session.end_reason and str(session.end_reason),
        ended_at=session.ended_at,
        reconnects=session.reconnects,
        other_seen=meter.other_seen,
        max_minutes=asked if session.ceiling_kind == CeilingKind.MINUTES else None,
        max_amount=from_cents(asked) if asked and session.ceiling_kind == CeilingKind.MONEY else None,
        ceiling_minutes_left=session.ceiling_minutes_left if own else None,
    )


class TokenAnswer(MeterAnswer):
    app_id: str
    channel: str
    uid: int
    token: str
    rtm_token: str
    expires_at: Instant


class NoteRequest(ApiModel):
    note: str = Field(max_length=20_000)


class SessionsQuery(PageQuery):
    role: Literal["client", "reader"] = "client"


class SessionItem(ApiModel):
    """`amount` is what the client paid, or what the reader earned."""

    id: int
    role: str
    other: str
    modality: str
    state: str
    rate: Money
    currency: str
    minutes_billed: int
    amount: Money
    created_at: Instant


@blueprint.get("/")
@api_route("One's reading sessions, newest first", query=SessionsQuery, answer=Page[SessionItem])
def list_sessions(person: SignedIn, query: SessionsQuery) -> Page[SessionItem]:
    """As the client, or with `role=reader` as the reader."""
    rows, _ = dashboards.sessions(person.id, Role(query.role), query.after(), query.limit + 1)

    def item(line: dashboards.SessionLine) -> SessionItem:
        return SessionItem(
            id=line.id,
            role=line.role.value,
            other=line.other_name,
            modality=line.modality,
            state=line.state,
            rate=line.rate,
            currency=CURRENCY,
            minutes_billed=line.minutes,
            amount=line.amount,
            created_at=line.created_at,
        )

    return page_of(rows, query, identifier=lambda line: line.id, item=item)


@blueprint.post("/")
@api_route(
    "Request a reading: the reader is rung",
    body=SessionRequest,
    answer=MeterAnswer,
    status=201,
    errors=(
        errors.InsufficientFunds,
        errors.AlreadyLive,
        errors.ReaderUnavailable,
        errors.InvalidInput,
        errors.SpendingFrozen,
        errors.BillingStopped,
    ),
    limit=limits.MONEY,
    idempotent=True,
)
def request_session(person: SignedIn, body: SessionRequest) -> Response:
    """Nothing is charged until both have joined. 402 tells what is missing."""

    def deed(now: datetime) -> tuple[MeterAnswer, int]:
        ceiling = ceilings.wanted(body.max_minutes, body.max_amount)
        session = readings.request(person.id, body.reader, body.modality, now, ceiling)
        caller = readings.Caller(Role.CLIENT, person.id)
        return meter_answer(readings.meter(session, caller, now, None)), 201

    return once(person, deed)


@blueprint.get("/<int:session_id>/")
@api_route(
    "The meter", answer=MeterAnswer, errors=(errors.NotFound, errors.NotParticipant), limit=limits.POLL
)
def show(person: SignedIn, session_id: int) -> MeterAnswer:
    """A sign of life, too. Anything that is due by now is settled first."""
    return meter_answer(room_calls.poll(person, session_id, clock.now()))


@blueprint.post("/<int:session_id>/heartbeat/")
@api_route(
    "Say that one is there, every 10 s",
    body=Heartbeat,
    answer=MeterAnswer,
    errors=(*MOVE_ERRORS[:2], errors.InvalidInput),
    limit=limits.POLL,
)
def heartbeat(person: SignedIn, session_id: int, body: Heartbeat) -> MeterAnswer:
    """Writes to the database only if a minute, a drop or a time-out is due. The body may be left out."""
    return meter_answer(room_calls.poll(person, session_id, clock.now(), body.measured))


def _move(action: room_calls.Move, person: SignedIn, session_id: int) -> MeterAnswer:
    return meter_answer(room_calls.move(action, session_id, person.id, clock.now()))


@blueprint.post("/<int:session_id>/join/")
@api_route(
    "Come into the room",
    answer=MeterAnswer,
    errors=(*MOVE_ERRORS, errors.InsufficientFunds, errors.SpendingFrozen, errors.BillingStopped),
)
def join(person: SignedIn, session_id: int) -> MeterAnswer:
    """The second one in starts the first paid minute; after a reconnect, both seen brings the reading back."""
    return _move(readings.join, person, session_id)


@blueprint.post("/<int:session_id>/leave/")
@api_route("Step out; the unused paid time is kept", answer=MeterAnswer, errors=MOVE_ERRORS)
def leave(person: SignedIn, session_id: int) -> MeterAnswer:
    """The reading pauses and the grace begins."""
    return _move(readings.leave, person, session_id)


@blueprint.post("/<int:session_id>/reconnect/")
@api_route(
    "Begin to come back",
    answer=MeterAnswer,
    errors=(
        *MOVE_ERRORS,
        errors.TooManyReconnects,
        errors.CeilingReached,
        errors.InsufficientFunds,
        errors.SpendingFrozen,
        errors.BillingStopped,
    ),
)
def reconnect(person: SignedIn, session_id: int) -> MeterAnswer:
    """Before the grace is over; then join."""
    return _move(readings.reconnect, person, session_id)


@blueprint.post("/<int:session_id>/end/")
@api_route("End for good", answer=MeterAnswer, errors=MOVE_ERRORS)
def end(person: SignedIn, session_id: int) -> MeterAnswer:
    """By either participant, from any live state."""
    return _move(readings.end, person, session_id)


@blueprint.post("/<int:session_id>/rtc-token/")
@api_route(
    "Tokens for voice, video and messages",
    answer=TokenAnswer,
    errors=(*MOVE_ERRORS, reading_tokens.Paused, errors.InsufficientFunds),
)
def rtc_token(person: SignedIn, session_id: int) -> TokenAnswer:
    """For one channel and one uid, no longer than the client's money lasts."""
    now = clock.now()
    meter = room_calls.move(reading_tokens.settle_for_token, session_id, person.id, now)
    caller = readings.caller_of(meter.session, person.id)
    tokens = reading_tokens.issue(meter.session, caller, now)
    return TokenAnswer(**dict(meter_answer(meter)), **vars(tokens))


@blueprint.put("/<int:session_id>/note/")
@api_route(
    "Keep a private note on the session", body=NoteRequest, errors=(errors.NotFound, errors.NotParticipant)
)
def put_note(person: SignedIn, session_id: int, body: NoteRequest) -> dict[str, Any]:
    """Seen by its author only; may be changed at any time."""
    with transaction():
        readings.caller_of(readings.find(session_id), person.id)
        reading_texts.write_note(session_id, person.id, body.note, clock.now())
    return {"note": body.note}
