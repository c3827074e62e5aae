"""/apply/: becoming a reader, step by step; where the application stands; and files that staff open by a link."""

import uuid
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints import payouts
from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import MONEY, PICTURE, limited
from soulseer.db import transaction
from soulseer.domain import clock, onboarding
from soulseer.domain.errors import Conflict, InvalidInput, NotFound, VendorError
from soulseer.domain.onboarding import STEPS, Stage, Step, open_steps
from soulseer.models.onboarding import ReaderApplication
from soulseer.services import (
    application_fields,
    applications,
    file_access,
    files,
    payout_accounts,
    payout_words,
    reader_gates,
    reader_papers,
)
from soulseer.services.applications import NotReady
from soulseer.services.reader_settings import SeveralFaults

blueprint = Blueprint("applications", __name__, url_prefix="/apply")


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """Where the application stands and what is next; with none, what awaits whoever applies."""
    return _overview()


def _overview(status: int = 200, **more: Any) -> ResponseReturnValue:
    person = require_person()
    now = clock.now()
    application = applications.of(person.id)
    values: dict[str, Any] = {"application": application, "steps": STEPS, "onboarding": onboarding}
    if application is not None:
        values["editable"] = open_steps(application.stage, application.wanted)
        values["missing"] = application_fields.missing(application)
    if application is None or application.stage not in onboarding.OPEN:
        values["refusal"] = applications.refusal(person.id, application, now)
    if application is not None and application.stage is Stage.APPROVED:
        values["gates"] = reader_gates.of(person.id)
        values["papers"] = reader_papers.of(person.id)
    return render_template("onboarding/show.html", **(values | more)), status


@blueprint.post("/begin/")
def begin() -> ResponseReturnValue:
    """Begin a draft, once; on to its first step."""
    try:
        with transaction():
            applications.begin(require_person().id, clock.now())
    except Conflict as error:
        flash(error.detail, "error")
        return redirect(url_for("applications.show"), 303)
    return redirect(url_for("applications.step", name=STEPS[0].name), 303)


@blueprint.get("/<name>/")
def step(name: str) -> ResponseReturnValue:
    """One step, with what is kept."""
    return _step(_named(name), {}, {})


@blueprint.post("/<name>/")
@limited(PICTURE)
def save(name: str) -> ResponseReturnValue:
    """Keep a step and go on to the next that is open; what does not fit is told by field, and nothing typed is lost."""
    chosen = _named(name)
    person_id = require_person().id
    typed = {field: request.form.getlist(field) for field, _ in chosen.fields}
    faults = _uploads(person_id, chosen)
    try:
        with transaction():
            latest = applications.of(person_id)
            if latest is not None and latest.stage is Stage.APPROVED and name == "tax":
                _sign_again(person_id, latest, typed)
            else:
                applications.save(person_id, name, typed, request.remote_addr, clock.now())
    except SeveralFaults as several:
        faults |= several.errors
    if faults:
        return _step(chosen, typed, faults), 422
    flash("Saved.", "success")
    return redirect(_after(applications.of(person_id), name), 303)


def _sign_again(person_id: int, application: ReaderApplication, typed: application_fields.Typed) -> None:
    """A reader's new tax form: the application itself is over. Raises SeveralFaults."""
    now = clock.now()
    values, faults = application_fields.parse("tax", typed, application, now)
    if faults:
        raise SeveralFaults(faults)
    reader_papers.sign_tax_form(person_id, values["tax_form"], values["tax_signed_on"], now)


def _uploads(person_id: int, chosen: Step) -> dict[str, str]:
    """Keep the files that came along, each by itself, so that a typing mistake elsewhere loses none: faults by field."""
    faults = {}
    for field, purpose in application_fields.FILES.items():
        sent = request.files.get(field) if field in dict(chosen.fields) else None
        if sent is None or not sent.filename:
            continue
        try:
            applications.refuse_closed(person_id, chosen.name)
            prepared = files.picture(sent.stream)
            with transaction():
                intent = files.intend(person_id, purpose, prepared, clock.now())
            files.upload(intent, prepared)
            with transaction():
                applications.attach(person_id, field, intent, clock.now())
        except (InvalidInput, VendorError, files.FileLost) as error:
            faults[field] = error.detail
    return faults


def _named(name: str) -> Step:
    try:
        return onboarding.step_called(name)
    except KeyError:
        raise NotFound("There is nothing here.") from None


def _after(application: ReaderApplication | None, name: str) -> str:
    """The next step that is open and not filled in, else the overview."""
    if application is not None and application.stage in onboarding.OPEN:
        opened = open_steps(application.stage, application.wanted)
        lacking = application_fields.missing(application)
        for step in opened[opened.index(name) + 1 :] if name in opened else ():
            if step in lacking or (application.stage is Stage.MORE_WANTED):
                return url_for("applications.step", name=step)
    return url_for("applications.show")


def _step(chosen: Step, typed: Any, faults: dict[str, str], **more: Any) -> str:
    person = require_person()
    application = applications.of(person.id)
    if application is None or chosen.name not in open_steps(application.stage, application.wanted):
        raise NotFound("This part of an application is not open to you now.")
    kept = {name: getattr(application, name, None) for name, _ in chosen.fields}
    if application.stage is Stage.APPROVED:
        kept |= {"tax_form": None, "tax_signed_on": None}
    account = payout_accounts.of(person.id) if chosen.name == "payout" else None
    return render_template(
        "onboarding/step.html",
        application=application,
        step=chosen,
        steps=STEPS,
        editable=open_steps(application.stage, application.wanted),
        kept=kept,
        said={name: (typed.get(name) or [""])[0] if typed else _text(kept[name]) for name in kept},
        typed=typed,
        errors={name: [fault] for name, fault in faults.items()},
        fields=application_fields,
        onboarding=onboarding,
        today=clock.now().date(),
        account=account,
        needed=payout_words.all_needed([*account.past_due, *account.currently_due]) if account else [],
        **more,
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


@blueprint.post("/submit/")
def submit() -> ResponseReturnValue:
    """Hand it in, or the answer to what was asked."""
    try:
        with transaction():
            applications.submit(require_person().id, clock.now())
    except NotReady as error:
        return _overview(error.status, failure=error.detail)
    flash("Handed in. You get mail at each step from here on.", "success")
    return redirect(url_for("applications.show"), 303)


@blueprint.post("/withdraw/")
def withdraw() -> ResponseReturnValue:
    """Take it back."""
    with transaction():
        applications.withdraw(require_person().id, clock.now())
    flash("Your application is withdrawn.", "success")
    return redirect(url_for("applications.show"), 303)


@blueprint.post("/payout/set-up/")
@limited(MONEY)
def set_up_payouts() -> ResponseReturnValue:
    """To Stripe's page where the applicant tells who they are; the account is opened first, once."""
    applications.refuse_closed(require_person().id, "payout")
    try:
        return payouts.to_stripe()
    except VendorError as error:
        return _step(_named("payout"), {}, {}, failure=error.detail), error.status


@blueprint.get("/files/<uuid:access_id>/")
def opened_file(access_id: uuid.UUID) -> Response:
    """A private file, to the member of staff to whom it was opened, for a few minutes. Raises NotFound."""
    row = file_access.opened(access_id, require_person().id, clock.now())
    response = Response(files.content(row), mimetype=row.content_type)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Content-Disposition"] = "inline"
    # Opened by itself it is a picture and nothing else; the browser's own frame around it has inline style.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response
