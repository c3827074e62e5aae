"""What protects people in a reading: the client's own limit, reports and blocks."""

from functools import partial

from flask import Blueprint
from pydantic import Field

from soulseer.blueprints import limits, room_calls
from soulseer.blueprints.api_sessions import MOVE_ERRORS, MeterAnswer, meter_answer
from soulseer.blueprints.api_support import api_route
from soulseer.blueprints.api_types import Amount, ApiModel
from soulseer.blueprints.safety import block_now, file_report
from soulseer.domain import clock, errors
from soulseer.services import blocks, ceilings, readings
from soulseer.services.people import SignedIn

blueprint = Blueprint("api_safety", __name__, url_prefix="/api")


class CeilingRequest(ApiModel):
    """One of the two, or neither to lift the limit."""

    max_minutes: int | None = Field(None, description="No more minutes than these are charged in all")
    max_amount: Amount | None = Field(None, description="Or in dollars: as many minutes as they pay for")


@blueprint.put("/sessions/<int:session_id>/ceiling/")
@api_route(
    "Set, raise, lower or lift one's limit",
    body=CeilingRequest,
    answer=MeterAnswer,
    errors=(*MOVE_ERRORS, errors.Forbidden, errors.InvalidInput),
)
def put_ceiling(person: SignedIn, session_id: int, body: CeilingRequest) -> MeterAnswer:
    """By the client alone. Below what is paid already, it takes effect at the end of the paid minute."""
    ceiling = ceilings.wanted(body.max_minutes, body.max_amount)
    change = partial(ceilings.change, ceiling=ceiling)
    return meter_answer(room_calls.move(change, session_id, person.id, clock.now()))


class ReportRequest(ApiModel):
    """`kind`: profile, review, message or session. `object_id`: its number; a message's is `session:number`."""

    kind: str = Field(max_length=30)
    object_id: str = Field(max_length=60)
    reason: str = Field(max_length=30)
    note: str = Field("", max_length=20_000)
    block: bool = Field(False, description="Block its author, too")


class ReportAnswer(ApiModel):
    """The same report again is the same number."""

    id: int
    blocked: bool


@blueprint.post("/reports/")
@api_route(
    "Report something, and block its author",
    body=ReportRequest,
    answer=ReportAnswer,
    status=201,
    errors=(errors.NotFound, errors.Forbidden, errors.InvalidInput),
    limit=limits.MONEY,
)
def send_report(person: SignedIn, body: ReportRequest) -> tuple[ReportAnswer, int]:
    """The content is kept as it is now. A block ends a reading that the two are in."""
    flag, blocked = file_report(
        person.id, body.kind, body.object_id, body.reason, body.note, also_block=body.block
    )
    return ReportAnswer(id=flag.id, blocked=blocked), 201


@blueprint.post("/sessions/<int:session_id>/block/")
@api_route(
    "Block the other one of a reading", answer=MeterAnswer, errors=(errors.NotFound, errors.NotParticipant)
)
def block(person: SignedIn, session_id: int) -> MeterAnswer:
    """Ends the reading if it is live, as an end by the caller, and prevents further ones."""
    block_now(person.id, blocks.other_in(session_id, person.id))
    session = readings.glance(session_id)
    caller = readings.caller_of(session, person.id)
    return meter_answer(readings.meter(session, caller, clock.now(), None))
