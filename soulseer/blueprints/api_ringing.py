"""/api/ring/ and /api/sessions/{id}/decline/: what a reader's pages ask every few seconds, and the no to a ring."""

from flask import Blueprint, url_for

from soulseer.blueprints import limits, room_calls
from soulseer.blueprints.api_sessions import MOVE_ERRORS, MeterAnswer, meter_answer
from soulseer.blueprints.api_support import api_route
from soulseer.blueprints.api_types import ApiModel, Instant, Money
from soulseer.domain import clock, errors
from soulseer.services import ringing, ringing_answers
from soulseer.services.people import SignedIn
from soulseer.services.waiting_view import News

blueprint = Blueprint("api_ringing", __name__, url_prefix="/api")


class RingQuery(ApiModel):
    fresh: bool = False


class RingItem(ApiModel):
    """A client rings; `page` is the room."""

    session: int
    name: str
    modality: str
    rate: Money
    ring_until: Instant
    page: str


class FreeItem(ApiModel):
    """A reader who is free now, of whom one wanted to be told; `page` is the reader's."""

    name: str
    page: str


class TurnItem(FreeItem):
    """It is one's turn: until then nobody else may ring this reader."""

    until: Instant


class RingAnswer(ApiModel):
    """`online`: one's own switch as a reader; while it is off nobody rings. `waits`: one is in a queue, or wants to be
    told of a reader; else there is neither `turn` nor anybody in `free`."""

    now: Instant
    online: bool
    waits: bool
    ring: RingItem | None
    turn: TurnItem | None
    free: list[FreeItem]


@blueprint.get("/ring/")
@api_route("Who rings me, and whom I may ring", query=RingQuery, answer=RingAnswer, limit=limits.RING)
def show(person: SignedIn, query: RingQuery) -> RingAnswer:
    """For an online reader, and a client who waits, every few seconds. With nothing new, PostgreSQL is asked for nothing but the sign-in;
    `fresh` asks it in any case."""
    now = clock.now()
    ring, news = None, News()
    if person.online or person.waits:
        ring, news = ringing.listen(
            person.id, now, online=person.online, waits=person.waits, fresh=query.fresh
        )
    turn = news.turn
    return RingAnswer(
        now=now,
        online=person.online,
        waits=person.waits,
        ring=None if ring is None else ring_item(ring),
        turn=None if turn is None else TurnItem(name=turn.name, page=page_of(turn.slug), until=turn.until),
        free=[FreeItem(name=name, page=page_of(slug)) for name, slug in news.free],
    )


def page_of(slug: str) -> str:
    """The reader's page."""
    return url_for("readers.show", slug=slug)


def ring_item(ring: ringing.Ring) -> RingItem:
    """The ring as JSON holds it."""
    return RingItem(
        session=ring.reading_session_id,
        name=ring.name,
        modality=ring.modality,
        rate=ring.rate,
        ring_until=ring.ring_until,
        page=url_for("readings.show", session_id=ring.reading_session_id),
    )


@blueprint.post("/sessions/<int:session_id>/decline/")
@api_route("Decline a ring", answer=MeterAnswer, errors=(*MOVE_ERRORS, errors.Forbidden))
def decline(person: SignedIn, session_id: int) -> MeterAnswer:
    """By the reader, before the reading has begun. The client is told at once; nothing is charged."""
    return meter_answer(room_calls.move(ringing_answers.decline, session_id, person.id, clock.now()))
