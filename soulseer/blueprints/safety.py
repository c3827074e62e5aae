"""/safety/: report something, block somebody, see what came of it; and the author's page of a decision."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import MONEY, PUBLIC, limited
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import InvalidInput, NotFound
from soulseer.domain.moderation import REASONS_FOR_PEOPLE
from soulseer.models.moderation import Flag
from soulseer.services import blocks, case_appeals, ceilings, flags, reports
from soulseer.services.console_actions import last_signs
from soulseer.services.flag_kinds import kind_of
from soulseer.services.top_ups import typed_amount

blueprint = Blueprint("safety", __name__, url_prefix="/safety")

LARGEST = 2**63 - 1


def safety_facts() -> dict[str, Any]:
    """What every form of a report needs."""
    return {"reasons": REASONS_FOR_PEOPLE, "longest": flags.LONGEST_NOTE}


def typed_ceiling() -> ceilings.Ceiling | None:
    """The limit that the form of a new reading asks for (``limit``: minutes or money, ``limit_value``); None where it is
    left empty. Raises InvalidInput."""
    value, kind = request.form.get("limit_value", "").strip(), request.form.get("limit", "minutes")
    if not value:
        return None
    if kind == "money":
        return ceilings.wanted(None, typed_amount(value))
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise InvalidInput("max_minutes", "A limit is a whole number of minutes.")
    return ceilings.wanted(int(value), None)


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """Whom one has blocked, and the latest reports."""
    person = require_person()
    latest, _ = reports.of_reporter(person.id)
    return render_template("safety/show.html", blocked=blocks.blocked_by(person.id), reports=latest[:5])


@blueprint.post("/block/")
def block() -> ResponseReturnValue:
    """Block the other one of a reading (``session``), or a reader (``reader``, a slug)."""
    person = require_person()
    slug, session = request.form.get("reader", ""), request.form.get("session", "")
    other = blocks.reader_called(slug) if slug else blocks.other_in(_number(session), person.id)
    block_now(person.id, other)
    flash("Blocked. There will be no more readings between the two of you.", "success")
    return redirect(url_for("safety.show"), 303)


@blueprint.post("/unblock/")
def unblock() -> ResponseReturnValue:
    """Take a block back."""
    person = require_person()
    handle = request.form.get("handle", "")
    with transaction():
        blocks.unblock(person.id, handle)
    flash(f"{handle} is no longer blocked.", "success")
    return redirect(url_for("safety.show"), 303)


def block_now(blocker_id: int, blocked_id: int) -> None:
    """Block somebody, in a transaction; the reading that the two are in ends."""
    now = clock.now()
    live = blocks.live_between(blocker_id, blocked_id)
    signs = last_signs(live, now) if live is not None else None
    with transaction():
        blocks.block(blocker_id, blocked_id, now, signs)


def file_report(
    person_id: int, kind: str, object_id: str, reason: str, note: str, *, also_block: bool
) -> tuple[Flag, bool]:
    """Raise the flag and, where asked for, block its author, in one transaction: (the flag, whether blocked)."""
    now = clock.now()
    author = kind_of(kind).find(object_id, person_id).author_id if also_block else None
    live = blocks.live_between(person_id, author) if author is not None else None
    signs = last_signs(live, now) if live is not None else None
    with transaction():
        flag = flags.raise_flag(kind, object_id, person_id, reason, note, None, now)
        if author is not None:
            blocks.block(person_id, author, now, signs)
    return flag, author is not None


@blueprint.get("/report/<kind>/<object_id>/")
def report(kind: str, object_id: str) -> ResponseReturnValue:
    """The form. A reader is reported by their slug (``reader``), all else as its kind names it."""
    return _form(kind, object_id, {}, {})


@blueprint.post("/report/<kind>/<object_id>/")
@limited(MONEY)
def send_report(kind: str, object_id: str) -> ResponseReturnValue:
    """Report it; the second click is the same report."""
    person = require_person()
    typed = {name: request.form.get(name, "") for name in ("reason", "note", "block")}
    also_block = bool(typed["block"])
    try:
        flag, _ = file_report(
            person.id, *_named(kind, object_id), typed["reason"], typed["note"], also_block=also_block
        )
    except InvalidInput as fault:
        return _form(kind, object_id, typed, {fault.field: [fault.detail]}), 422
    return redirect(url_for("safety.thanks", flag_id=flag.id), 303)


@blueprint.get("/reports/<int:flag_id>/")
def thanks(flag_id: int) -> ResponseReturnValue:
    """One of one's own reports: thanks, and what came of it."""
    return render_template("safety/report_sent.html", report=reports.one(flag_id, require_person().id))


@blueprint.get("/reports/")
def list_reports() -> ResponseReturnValue:
    """One's own reports with their outcome, newest first."""
    before = request.args.get("before", "")
    found, following = reports.of_reporter(require_person().id, _number(before) if before else None)
    return render_template("safety/reports.html", reports=found, following=following, later=bool(before))


# Decisions, for authors: they come by the code in their mail, signed in or suspended ------------------------------------


@blueprint.get("/decisions/<code>/")
@limited(PUBLIC)
def decision(code: str) -> ResponseReturnValue:
    """What was decided about something of the author's, and the form to appeal."""
    return _decision(code, {})


@blueprint.post("/decisions/<code>/")
@limited(PUBLIC)
def appeal(code: str) -> ResponseReturnValue:
    """Appeal, once."""
    try:
        with transaction():
            case_appeals.appeal(code, request.form.get("words", ""), clock.now())
    except InvalidInput as fault:
        return _decision(code, {fault.field: [fault.detail]}), 422
    flash("Your appeal is in. Another moderator looks at it, and you get mail.", "success")
    return redirect(url_for("safety.decision", code=code), 303)


def _decision(code: str, errors: dict[str, Any]) -> str:
    told = case_appeals.decision(code)
    words = request.form.get("words", "")
    return render_template(
        "safety/decision.html", told=told, errors=errors, words=words, longest=case_appeals.LONGEST
    )


def _form(kind: str, object_id: str, typed: dict[str, Any], errors: dict[str, Any]) -> str:
    person = require_person()
    name, identifier = _named(kind, object_id)
    content = kind_of(name)
    thing = content.find(identifier, person.id)
    return render_template(
        "safety/report.html",
        content=content,
        thing=thing,
        address=url_for("safety.send_report", kind=kind, object_id=object_id),
        what=reports.about(thing.snapshot),
        typed=typed,
        errors=errors,
        **safety_facts(),
    )


def _named(kind: str, object_id: str) -> tuple[str, str]:
    """(kind, object) as services know them: a reader's page is their profile."""
    return ("profile", str(blocks.reader_called(object_id))) if kind == "reader" else (kind, object_id)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST):
        raise NotFound("There is nothing here.")
    return int(text)
