"""What protects people in a reading: the client's own limit."""

from functools import partial

from flask import Blueprint
from pydantic import Field

from soulseer.blueprints import room_calls
from soulseer.blueprints.api_sessions import MOVE_ERRORS, MeterAnswer, meter_answer
from soulseer.blueprints.api_support import api_route
from soulseer.blueprints.api_types import Amount, ApiModel
from soulseer.domain import clock, errors
from soulseer.services import ceilings
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
