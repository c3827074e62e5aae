"""Applications to become a reader, as the applicant makes them: begun, filled in step by step, handed in, withdrawn."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from soulseer.db import db
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.domain.onboarding import (
    AGREEMENT_VERSION,
    OPEN,
    Act,
    IllegalStage,
    Stage,
    next_stage,
    open_steps,
)
from soulseer.models.onboarding import ReaderApplication
from soulseer.models.readers import ReaderProfile
from soulseer.services import application_fields, audit, files, mail
from soulseer.services.application_fields import Typed
from soulseer.services.files import Intent
from soulseer.services.reader_settings import SeveralFaults

# What of an earlier application a new one begins with.
_KEPT = (
    "legal_name",
    "country",
    "birth_date",
    "display_name",
    "slug",
    "languages",
    "specialties",
    "about",
    "sample",
)


class NotReady(InvalidInput):
    """Something is missing; ``missing`` names it by step."""


def of(person_id: int) -> ReaderApplication | None:
    """The person's latest application."""
    return db.session.scalars(
        select(ReaderApplication)
        .where(ReaderApplication.person_id == person_id)
        .order_by(ReaderApplication.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).one_or_none()


def locked(application_id: int) -> ReaderApplication:
    """One application with its row locked. Raises NotFound."""
    found: ReaderApplication | None = db.session.get(
        ReaderApplication, application_id, with_for_update=True, populate_existing=True
    )
    if found is None:
        raise NotFound(f"There is no application {application_id}.")
    return found


def refusal(person_id: int, latest: ReaderApplication | None, now: datetime) -> str | None:
    """Why the person cannot begin an application now, in their words; None where they can."""
    if latest is not None and latest.stage in OPEN:
        return "You have an application already."
    if (
        latest is not None
        and latest.stage is Stage.REJECTED
        and latest.reapply_on
        and latest.reapply_on > now.date()
    ):
        return f"You can apply again from {latest.reapply_on:%-d %B %Y} on."
    status = db.session.scalar(select(ReaderProfile.status).where(ReaderProfile.person_id == person_id))
    if status in ("verified", "suspended"):
        return "You are a reader already."
    return None


def begin(person_id: int, now: datetime) -> ReaderApplication:
    """A draft, with what an earlier application said; the open one where there is one. Raises Conflict."""
    latest = of(person_id)
    if latest is not None and latest.stage in OPEN:
        return latest
    words = refusal(person_id, latest, now)
    if words is not None:
        raise Conflict(words)
    made = ReaderApplication(person_id=person_id, state=Stage.DRAFT.value, state_since=now, created_at=now)
    for name in _KEPT if latest is not None else ():
        setattr(made, name, getattr(latest, name))
    try:
        with db.session.begin_nested():
            db.session.add(made)
    except IntegrityError:
        # Two clicks at once: the other has made it.
        found = of(person_id)
        if found is None:
            raise
        return found
    audit.record("application.begun", "application", made.id, now, actor_id=person_id)
    return made


def save(person_id: int, step: str, typed: Typed, address: str | None, now: datetime) -> ReaderApplication:
    """Keep what was typed on a step. Raises SeveralFaults (nothing is kept), IllegalStage where it is not open, NotFound."""
    application = _changeable(person_id, step)
    values, faults = application_fields.parse(step, typed, application, now)
    if faults:
        raise SeveralFaults(faults)
    for name, value in values.items():
        setattr(application, name, value)
    if step == "agreement":
        application.agreement_accepted_at, application.agreement_address = now, address
        audit.record(
            "application.agreed", "application", application.id, now, actor_id=person_id,
            details={"version": AGREEMENT_VERSION, "address": address},
        )  # fmt: skip
    return application


def attach(person_id: int, field: str, intent: Intent, now: datetime) -> None:
    """Confirm an upload and make it the application's ``field`` (of application_fields.FILES). A draft's former file is
    deleted; what staff may have looked at is kept. Raises IllegalStage, NotFound, FileLost."""
    application = _changeable(person_id, "identity" if field == "identity_file_id" else "profile")
    before = getattr(application, field)
    setattr(application, field, files.confirm(intent).id)
    if before is not None and application.stage is Stage.DRAFT:
        files.remove(before, now)


def refuse_closed(person_id: int, step: str) -> None:
    """Raise IllegalStage where this step cannot be changed now, NotFound where there is no application."""
    latest = _own(person_id)
    if step not in open_steps(latest.stage, latest.wanted):
        raise IllegalStage("This part of your application cannot be changed now.")


def _changeable(person_id: int, step: str) -> ReaderApplication:
    application = locked(_own(person_id).id)
    if application.stage is Stage.APPROVED or step not in open_steps(application.stage, application.wanted):
        raise IllegalStage("This part of your application cannot be changed now.")
    return application


def _own(person_id: int) -> ReaderApplication:
    latest = of(person_id)
    if latest is None:
        raise NotFound("There is no application.")
    return latest


def submit(person_id: int, now: datetime) -> Stage:
    """Hand the draft in, or the answer to what was asked; where it stands then. Handed in before, nothing happens.

    Raises NotReady (``missing``), Conflict where the address of the page was taken meanwhile, IllegalStage, NotFound.
    """
    application = locked(_own(person_id).id)
    if application.stage in (Stage.SUBMITTED, Stage.IN_REVIEW):
        return application.stage
    act = Act.ANSWER if application.stage is Stage.MORE_WANTED else Act.SUBMIT
    lacking = application_fields.missing(application)
    if lacking:
        raise NotReady("step", "Some parts are not filled in yet.", missing=lacking)
    if application_fields.slug_taken(application.slug or "", person_id):
        raise NotReady(
            "slug", "The address of your page was taken meanwhile; please choose another.", missing={"profile": ["Address of your page"]}
        )  # fmt: skip
    move(application, act, now, actor_id=person_id)
    application.submitted_at = application.submitted_at or now
    db.session.flush()
    return application.stage


def withdraw(person_id: int, now: datetime) -> None:
    """Take the application back; its rows are kept. Withdrawn before, nothing happens. Raises IllegalStage, NotFound."""
    application = locked(_own(person_id).id)
    if application.stage is Stage.WITHDRAWN:
        return
    move(application, Act.WITHDRAW, now, actor_id=person_id)


def move(
    application: ReaderApplication,
    act: Act,
    now: datetime,
    *,
    actor_id: int | None,
    reason: str = "",
    details: dict[str, object] | None = None,
    values: dict[str, str] | None = None,
    quietly: bool = False,
) -> None:
    """Move a locked application, write it into the audit log, and tell the applicant by mail unless ``quietly``.
    ``values`` are the mail's. Raises IllegalStage."""
    before, after = application.stage, next_stage(application.stage, act)
    application.state, application.state_since = after.value, now
    audit.record(
        f"application.{act}", "application", application.id, now, actor_id=actor_id, reason=reason,
        details={"from": before.value, "to": after.value, **(details or {})},
    )  # fmt: skip
    if not quietly:
        mail.queue(
            application.person_id,
            f"application_{after}",
            {"answered": "yes" if act is Act.ANSWER else "", **(values or {})},
            now,
            key=f"application:{application.id}:{after}:{int(now.timestamp() * 1_000_000)}",
        )
