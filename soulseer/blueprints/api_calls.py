"""/api/sessions/{id}/signals/: how the two browsers of a call find each other. What the room's page needs for a call."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import AfterValidator, Field

from soulseer.blueprints import limits, room_calls
from soulseer.blueprints.api_support import api_route
from soulseer.blueprints.api_types import ApiModel
from soulseer.domain import clock, errors, policies
from soulseer.domain.readings import Modality
from soulseer.models.readings import ReadingSession
from soulseer.services import media, readings, signals
from soulseer.services.people import SignedIn
from soulseer.services.reading_tokens import Paused
from soulseer.services.readings import Caller, Meter

blueprint = Blueprint("api_calls", __name__, url_prefix="/api/sessions")

LONGEST_DESCRIPTION = 60_000
MOST_CANDIDATES = 50
CALL_ERRORS = (
    errors.NotFound,
    errors.NotParticipant,
    errors.IllegalMove,
    Paused,
    signals.CallElsewhere,
    errors.RingOver,
    errors.GraceOver,
    errors.PresenceUnavailable,
)
# A session description is lines of one letter, "=" and text (RFC 8866, section 5).
_LINE = re.compile(r"[a-z]=[^\x00-\x1f\x7f]*")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("This holds a character that has no place here.")
    return text


def _description(text: str) -> str:
    lines = text.split("\r\n")
    if lines[0] != "v=0" or lines[-1] or not all(_LINE.fullmatch(line) for line in lines[:-1]):
        raise ValueError("This is no session description.")
    return text


Seat = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$", description="Names the page that calls")]
Short = Annotated[str, Field(max_length=256), AfterValidator(_printable)]


class Candidate(ApiModel):
    """An address at which a browser may be reached, as RTCIceCandidate has it."""

    candidate: Annotated[str, Field(max_length=1000), AfterValidator(_printable)]
    sdpMid: Short | None = None  # noqa: N815 - the browsers' own name
    sdpMLineIndex: int | None = Field(None, ge=0, le=100)  # noqa: N815
    usernameFragment: Short | None = None  # noqa: N815


class SignalRequest(ApiModel):
    """`hello` takes the caller's side of the call; `offer` and `answer` carry `description`; `to` is the other's seat."""

    seat: Seat
    to: Seat | None = None
    kind: Literal["hello", "offer", "answer", "candidates"]
    description: (
        Annotated[str, Field(max_length=LONGEST_DESCRIPTION), AfterValidator(_description)] | None
    ) = None
    candidates: list[Candidate] = Field([], max_length=MOST_CANDIDATES)


class SignalAnswer(ApiModel):
    """`number` is the signal's own; `other` the seat of the other side, null before it came."""

    number: int
    other: str | None


class SignalItem(ApiModel):
    number: int
    seat: str
    to: str | None
    kind: str
    description: str | None
    candidates: list[Candidate]


class SignalsQuery(ApiModel):
    seat: Seat
    after: int = Field(0, ge=0, le=2**53)


class SignalsAnswer(ApiModel):
    """`items` oldest first; ask again with `after` = the last `number`."""

    items: list[SignalItem]
    other: str | None


def _called(person: SignedIn, session_id: int, now: datetime) -> tuple[ReadingSession, Caller]:
    """The session and who calls; a sign of life. Nothing is settled: a heartbeat does that."""
    session = readings.glance(session_id)
    caller = readings.caller_of(session, person.id)
    signals.refuse_if_no_call(session)
    room_calls.touch(session, caller, now)
    return session, caller


@blueprint.post("/<int:session_id>/signals/")
@api_route(
    "Tell the other browser how to reach this one",
    body=SignalRequest,
    answer=SignalAnswer,
    status=201,
    errors=(*CALL_ERRORS, errors.InvalidInput),
    limit=limits.SIGNAL,
)
def send_signal(person: SignedIn, session_id: int, body: SignalRequest) -> SignalAnswer:
    """While the reading is active or both are coming back. Kept for two minutes, in no database."""
    session, caller = _called(person, session_id, clock.now())
    if (body.kind in ("offer", "answer")) != (body.description is not None):
        raise errors.InvalidInput(
            "description", "An offer and an answer carry a description, nothing else does."
        )
    number, waiting = signals.send(session, caller, body.seat, body.model_dump(mode="json"))
    return SignalAnswer(number=number, other=waiting.other)


@blueprint.get("/<int:session_id>/signals/")
@api_route(
    "What the other browser told",
    query=SignalsQuery,
    answer=SignalsAnswer,
    errors=CALL_ERRORS,
    limit=limits.SIGNAL,
)
def list_signals(person: SignedIn, session_id: int, query: SignalsQuery) -> SignalsAnswer:
    """409 with `call_elsewhere` once another page of the caller's has taken the call."""
    session, caller = _called(person, session_id, clock.now())
    waiting = signals.after(session, caller, query.seat, query.after)
    items = [SignalItem(number=number, **signal) for number, signal in waiting.items]
    return SignalsAnswer(items=items, other=waiting.other)


def media_facts(meter: Meter) -> dict[str, Any] | None:
    """What the room's script needs for a call; None for a reading by text."""
    if meter.session.modality == Modality.TEXT:
        return None
    policy = policies.current().media
    return {
        "transport": policy.transport,
        "kinds": ["audio", "video"] if meter.session.modality == Modality.VIDEO else ["audio"],
        "iceServers": media.ice_servers(policy, meter.session.id, meter.now),
    }
