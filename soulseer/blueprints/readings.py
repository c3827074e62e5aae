"""/readings/: starting a reading, its room while it lives, its receipt afterwards."""

from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer import gateways
from soulseer.blueprints import connection_words, reading_words, room_calls, tips
from soulseer.blueprints.access import require_person
from soulseer.blueprints.api_calls import media_facts
from soulseer.blueprints.api_sessions import meter_answer
from soulseer.blueprints.api_support import plain, respond
from soulseer.blueprints.api_texts import spoken, text_facts
from soulseer.blueprints.limits import MONEY, POLL, limited
from soulseer.blueprints.safety import safety_facts, typed_ceiling
from soulseer.blueprints.top_up_forms import top_up_form
from soulseer.db import transaction
from soulseer.domain import clock, policies
from soulseer.domain.errors import (
    AlreadyLive,
    InsufficientFunds,
    InvalidInput,
    PresenceUnavailable,
    ReaderUnavailable,
    SpendingFrozen,
)
from soulseer.domain.readings import PauseCause, Role, State
from soulseer.gateways.presence import Signs
from soulseer.models.readings import ReadingSession
from soulseer.services import dashboards, readers, reading_texts, readings, receipts
from soulseer.services.people import SignedIn
from soulseer.services.readings import Meter
from soulseer.services.settling import instant_for, is_due

blueprint = Blueprint("readings", __name__, url_prefix="/readings")

OWN_LEAVE = {Role.CLIENT: PauseCause.CLIENT_LEFT, Role.READER: PauseCause.READER_LEFT}
TRANSCRIPT = 500


@blueprint.post("/start/")
@limited(MONEY)
def start() -> ResponseReturnValue:
    """Ring a reader and lead to the room. A second click leads to the same room; refusals are pages with a way on."""
    person = require_person()
    slug, modality = request.form.get("reader", ""), request.form.get("modality", "")
    try:
        with transaction():
            session_id = readings.request(person.id, slug, modality, clock.now(), typed_ceiling()).id
    except (AlreadyLive, InsufficientFunds, ReaderUnavailable, SpendingFrozen) as refusal:
        live = dashboards.live_reading(person.id)
        if live and live.role is Role.CLIENT and _reader_of(live.reading_session_id) == slug:
            return redirect(url_for("readings.show", session_id=live.reading_session_id), 303)
        page = {"reader": readers.profile(slug, person.id), "modality": modality, "live": live}
        if isinstance(refusal, InsufficientFunds):
            back = url_for("readers.show", slug=slug)
            page |= {"missing": refusal.missing, "top_up": top_up_form(refusal.missing, back)}
        return render_template("readings/refused.html", refusal=refusal, **page), refusal.status
    except InvalidInput as refusal:
        return render_template("readings/refused.html", refusal=refusal, reader=None, live=None), 422
    return redirect(url_for("readings.show", session_id=session_id), 303)


def _reader_of(session_id: int) -> str:
    return receipts.about(session_id, 0).reader_slug


@blueprint.get("/<int:session_id>/")
def show(session_id: int) -> ResponseReturnValue:
    """The room of a live reading, the receipt of one that is over. Raises NotFound, NotParticipant."""
    person = require_person()
    session, about = receipts.opened(session_id, person.id)
    role = readings.caller_of(session, person.id).role
    if session.is_live:
        meter = look(session, person, clock.now())
        if meter.session.is_live:
            return room(meter, about)
        session, about = receipts.opened(session_id, person.id)
    return receipt(session, role, about, person)


@blueprint.get("/<int:session_id>/state/")
@limited(POLL)
def state(session_id: int) -> ResponseReturnValue:
    """The meter for somebody who stepped out and keeps the page open: asking is no sign of life, or the other one
    could start the clock of a reading that nobody is at."""
    meter = peek(readings.glance(session_id), require_person(), clock.now())
    return respond(plain(meter_answer(meter)))


def look(session: ReadingSession, person: SignedIn, now: datetime) -> Meter:
    """The meter, settled. Opening the room is a sign of life, but not of one who stepped out of it."""
    caller = readings.caller_of(session, person.id)
    if session.pause_cause == OWN_LEAVE[caller.role]:
        return peek(session, person, now)
    return room_calls.look(session.id, person.id, now, session)


def peek(session: ReadingSession, person: SignedIn, now: datetime) -> Meter:
    """The meter, settled, without a sign of life. Raises NotParticipant."""
    caller = readings.caller_of(session, person.id)
    if not session.is_live:
        return readings.meter(session, caller, now, None)
    try:
        signs = gateways.current().presence.touch(
            session.id, None, now, policies.current().reading.presence_timeout
        )
    except PresenceUnavailable:
        signs = Signs(now, None, None)
    if is_due(session, instant_for(session, now), signs, None):
        with transaction():
            session = readings.observe(session.id, now, signs)
    return readings.meter(session, caller, now, signs)


def room(meter: Meter, about: receipts.About) -> str:
    """The room's page; its script does the rest over /api/sessions/."""
    role = meter.role
    other = about.name_of(reading_words.other_of(role))
    facts = _facts(meter, other)
    return render_template(
        "readings/room.html",
        meter=meter_answer(meter),
        facts=facts,
        about=about,
        role=role.value,
        other=other,
        top_up=top_up_form(None, facts["page"], new_tab=True) if role is Role.CLIENT else None,
        safety=safety_facts(),
        longest_message=reading_texts.LONGEST_MESSAGE,
        longest_note=reading_texts.LONGEST_NOTE,
    )


def _facts(meter: Meter, other: str) -> dict[str, Any]:
    """What the room's script needs to know beside the meter."""
    session, role = meter.session, meter.role
    joined = session.client_joined_at if role is Role.CLIENT else session.reader_joined_at
    page = url_for("readings.show", session_id=session.id)
    return {
        "id": session.id,
        "role": role.value,
        "other": other,
        "api": f"/api/sessions/{session.id}/",
        "page": page,
        "state": f"{page}state/",
        "signIn": url_for("auth.login", next=page),
        # A third of the time-out: two beats may be lost before silence is a drop.
        "heartbeatSeconds": policies.current().reading.presence_timeout.total_seconds() / 3,
        "joined": joined is not None,
        "pauses": reading_words.pause_words(role, other),
        "texts": text_facts(),
        "media": media_facts(meter),
    }


def receipt(session: ReadingSession, role: Role, about: receipts.About, person: SignedIn) -> str:
    """What it came to, line by line."""
    found = receipts.receipt(session, role)
    other = about.name_of(reading_words.other_of(role))
    return render_template(
        "readings/receipt.html",
        session=session,
        role=role.value,
        about=about,
        other=other,
        receipt=found,
        pauses=reading_words.pause_words(role, other),
        ended=reading_words.end_words(session.end_reason, role, other),
        timeline=connection_words.beside(
            reading_words.timeline(found.events, role, about), session, found.events, role, other
        ),
        messages=spoken(session.id, person.id, TRANSCRIPT) if session.activated_at else [],
        own_id=person.id,
        finalized=session.state == State.FINALIZED,
        tip=tips.offer(session, role),
        reviewable=role is Role.CLIENT
        and session.state == State.FINALIZED
        and session.cost > 0
        and about.stars is None,
        longest_note=reading_texts.LONGEST_NOTE,
    )
