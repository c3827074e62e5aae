"""/api/readers/{slug}/queue/ and …/tell-me/: waiting for a reader who is busy or away."""

from datetime import datetime

from flask import Blueprint

from soulseer.blueprints.api_support import api_route
from soulseer.blueprints.api_types import ApiModel, Instant
from soulseer.db import transaction
from soulseer.domain import clock, errors
from soulseer.services import waiting, waiting_view
from soulseer.services.people import SignedIn

blueprint = Blueprint("api_waiting", __name__, url_prefix="/api/readers/<slug>")

JOIN_ERRORS = (
    errors.InvalidInput,
    errors.ReaderUnavailable,
    errors.AlreadyQueued,
    errors.AlreadyLive,
    errors.InsufficientFunds,
    errors.SpendingFrozen,
)


class StandingAnswer(ApiModel):
    """`place`: from 1, none outside the queue. `held_until`: until then only you may ring. `about`: how long it may
    take, in words. `told`: you are told when the reader is free."""

    online: bool
    busy: bool
    length: int
    place: int | None
    held_until: Instant | None
    about: str
    told: bool


def _answer(person: SignedIn, slug: str, now: datetime) -> StandingAnswer:
    found = waiting_view.standing(slug, person.id, now)
    if found is None:
        raise errors.NotFound("There is no reader of this name.")
    return StandingAnswer.model_validate(found)


@blueprint.get("/queue/")
@api_route("The queue of a reader, and one's place in it", answer=StandingAnswer, errors=(errors.NotFound,))
def show(person: SignedIn, slug: str) -> StandingAnswer:
    """With an estimate from the usual length of this reader's readings."""
    return _answer(person, slug, clock.now())


@blueprint.post("/queue/")
@api_route("Join the queue", answer=StandingAnswer, errors=JOIN_ERRORS)
def join(person: SignedIn, slug: str) -> StandingAnswer:
    """One queue at a time. When it is one's turn, nobody else may ring the reader for two minutes."""
    now = clock.now()
    with transaction():
        waiting.join(person.id, slug, now)
    return _answer(person, slug, now)


@blueprint.delete("/queue/")
@api_route("Leave the queue", answer=StandingAnswer, errors=(errors.InvalidInput,))
def leave(person: SignedIn, slug: str) -> StandingAnswer:
    """Does nothing outside it."""
    now = clock.now()
    with transaction():
        waiting.leave(person.id, slug, now)
    return _answer(person, slug, now)


@blueprint.post("/tell-me/")
@api_route(
    "Tell me when this reader is free",
    answer=StandingAnswer,
    errors=(errors.InvalidInput, errors.ReaderUnavailable),
)
def tell_me(person: SignedIn, slug: str) -> StandingAnswer:
    """Once, by mail and on the site, within 24 hours."""
    now = clock.now()
    with transaction():
        waiting.tell_me(person.id, slug, now)
    return _answer(person, slug, now)


@blueprint.delete("/tell-me/")
@api_route("Do not tell me after all", answer=StandingAnswer, errors=(errors.InvalidInput,))
def do_not_tell_me(person: SignedIn, slug: str) -> StandingAnswer:
    """Does nothing where nobody would be told."""
    with transaction():
        waiting.do_not_tell_me(person.id, slug)
    return _answer(person, slug, clock.now())
