"""Becoming a reader: the board by stage, an application with its checklist, the decision, and the reader's gates."""

import uuid
from datetime import date, datetime
from typing import Any

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words
from soulseer.admin.formats import age, badge, link
from soulseer.db import transaction
from soulseer.domain import clock, onboarding
from soulseer.domain.errors import InvalidInput, NotFound, SoulSeerError
from soulseer.domain.onboarding import CRITERIA, Gate, Item, Outcome, Paper, Stage
from soulseer.services import (
    application_fields,
    application_reviews,
    console_applications,
    console_people,
    file_access,
    files,
    reader_gates,
    reader_papers,
)
from soulseer.services.application_reviews import Verdict
from soulseer.services.console import Listed, Window
from soulseer.services.console_actions import reason_given
from soulseer.services.files import Intent

TONES = {
    "draft": "",
    "submitted": "information",
    "in_review": "information",
    "more_wanted": "warning",
    "approved": "good",
    "rejected": "danger",
    "withdrawn": "",
}


class ApplicationsView(ListView):
    page = "applications"
    lead = "People who want to become readers. The oldest first; times are UTC."
    empty = "Nothing waits."
    column_list = ("id", "applicant", "name", "state", "in_stage", "submitted_at")
    column_labels = {
        "id": "Application", "applicant": "Person", "name": "Name", "in_stage": "In this stage", "submitted_at": "Handed in",
    }  # fmt: skip
    column_formatters = {
        "id": lambda view, context, row, name: link(
            "applications", row.ReaderApplication.id, row.ReaderApplication.id
        ),
        "applicant": lambda view, context, row, name: link(
            "people", row.applicant, row.ReaderApplication.person_id
        ),
        "name": lambda view, context, row, name: row.ReaderApplication.display_name or None,
        "state": lambda view, context, row, name: badge(
            row.ReaderApplication.state, TONES[row.ReaderApplication.state]
        ),
        "in_stage": lambda view, context, row, name: age(row.ReaderApplication.state_since, clock.now()),
        "submitted_at": lambda view, context, row, name: row.ReaderApplication.submitted_at,
    }
    column_filters = (
        Choice("state", "Stage", list(Stage)),
        Words("person", "Person", hint="handle, email or number"),
    )
    list_template = "admin/applications.html"

    def get_pk_value(self, model: Any) -> Any:
        return model.ReaderApplication.id

    def rows(self, window: Window, **criteria: Any) -> Listed:
        self._template_args["stages"] = console_applications.board(clock.now())
        self._template_args["tones"] = TONES
        return console_applications.listing(window, **criteria)

    def show(self, id: int) -> str:
        found = console_applications.shown(id)
        return self.render(
            "admin/application.html",
            shown=found,
            application=found.application,
            tones=TONES,
            items=onboarding.ITEMS,
            steps=onboarding.STEPS,
            onboarding=onboarding,
            countries=application_fields.countries(),
            audit=console_people.audit_of("application", id),
        )

    def _back(self, id: int) -> str:
        return self.get_url(".details_view", id=id)

    # The checklist --------------------------------------------------------------------------------------------------------

    @expose("/<int:id>/check/<item>/", methods=("POST",))
    def check(self, id: int, item: str) -> ResponseReturnValue:
        actor = self.actor("check_application")
        chosen = _one_of(Item, item)
        try:
            evidence = _upload(actor)
        except SoulSeerError as error:
            if error.status >= 500:
                raise
            flash(error.detail, "error")
            return self.show(id), error.status

        def deed(reason: str, now: datetime) -> str:
            verdict = Verdict(chosen, _outcome(), _scores(chosen), request.form.get("link", ""))
            new = application_reviews.record(id, actor, verdict, reason, now, evidence)
            return (
                f"{item.replace('_', ' ').capitalize()}: {verdict.outcome.value}." if new else "Noted before."
            )

        return self.change(deed, lambda: self.show(id), self._back(id) + f"#{item}")

    @expose("/<int:id>/open/<int:file_id>/", methods=("POST",))
    def open_file(self, id: int, file_id: int) -> ResponseReturnValue:
        """To a link that holds a few minutes, for this person alone; with a reason, audited."""
        actor = self.actor("open_document")
        access = uuid.uuid4()

        def deed(reason: str, now: datetime) -> str:
            if file_id not in _files_of(id):
                raise NotFound("There is no such file.")
            file_access.grant(access, file_id, actor, reason, now, object_type="application", object_id=id)
            return "The document was opened; the audit log says so."

        return self.change(deed, lambda: self.show(id), url_for("applications.opened_file", access_id=access))

    # Deciding -------------------------------------------------------------------------------------------------------------

    @expose("/<int:id>/ask/", methods=("POST",))
    def ask(self, id: int) -> ResponseReturnValue:
        actor = self.actor("ask_applicant")

        def deed(reason: str, now: datetime) -> str:
            form = request.form
            application_reviews.ask_more(
                id, actor, form.getlist("fields"), form.get("words", ""), reason, now
            )
            return "The applicant is asked, by mail."

        return self.change(deed, lambda: self.show(id), self._back(id))

    @expose("/<int:id>/approve/", methods=("POST",))
    def approve(self, id: int) -> ResponseReturnValue:
        actor = self.actor("approve_application")

        def deed(reason: str, now: datetime) -> str:
            reader = application_reviews.approve(id, actor, reason, now)
            return f"{reader.display_name} is a reader now, and listed."

        return self.change(deed, lambda: self.show(id), self._back(id))

    @expose("/<int:id>/reject/", methods=("POST",))
    def reject(self, id: int) -> ResponseReturnValue:
        actor = self.actor("reject_application")

        def deed(reason: str, now: datetime) -> str:
            form = request.form
            application_reviews.reject(
                id, actor, form.get("code", ""), form.get("words", ""), _day("reapply_on"), reason, now
            )
            return "The applicant is told, by mail."

        return self.change(deed, lambda: self.show(id), self._back(id))

    # Once a reader ----------------------------------------------------------------------------------------------------------

    @expose("/<int:id>/gates/<gate>/close/", methods=("POST",))
    def close_gate(self, id: int, gate: str) -> ResponseReturnValue:
        actor = self.actor("close_gate")
        chosen = _one_of(Gate, gate)

        def deed(reason: str, now: datetime) -> str:
            reader_gates.close_by_staff(_applicant(id), chosen, actor, reason, now)
            return f"No longer {chosen.value}; the reader reads the reason."

        return self.change(deed, lambda: self.show(id), self._back(id))

    @expose("/<int:id>/gates/<gate>/open/", methods=("POST",))
    def open_gate(self, id: int, gate: str) -> ResponseReturnValue:
        actor = self.actor("open_gate")
        chosen = _one_of(Gate, gate)

        def deed(reason: str, now: datetime) -> str:
            reader_gates.open_by_staff(_applicant(id), chosen, actor, reason, now)
            return f"{chosen.value.capitalize()} again; the reader is told."

        return self.change(deed, lambda: self.show(id), self._back(id))

    @expose("/<int:id>/papers/<kind>/", methods=("POST",))
    def renew_paper(self, id: int, kind: str) -> ResponseReturnValue:
        actor = self.actor("renew_paper")
        paper = _one_of(Paper, kind)

        def deed(reason: str, now: datetime) -> str:
            last_day = _day("expires_on")
            if last_day is None:
                raise InvalidInput("expires_on", "Give the last day.")
            reader_papers.renew(_applicant(id), paper, last_day, actor, reason, now)
            return f"Seen: valid until {last_day}."

        return self.change(deed, lambda: self.show(id), self._back(id))


def _one_of(kind: Any, value: str) -> Any:
    """What an address names. Raises NotFound."""
    if value not in list(kind):
        raise NotFound()
    return kind(value)


def _applicant(application_id: int) -> int:
    return console_applications.shown(application_id).application.person_id


def _files_of(application_id: int) -> set[int]:
    found = console_applications.shown(application_id)
    own = {found.application.identity_file_id, found.application.photo_file_id}
    return {*own, *(check.row.file_id for checks in found.checks.values() for check in checks)} - {None}  # type: ignore[return-value]


def _outcome() -> Outcome:
    try:
        return Outcome(request.form.get("outcome", ""))
    except ValueError:
        raise InvalidInput("outcome", "Choose passed, failed or waived.") from None


def _scores(item: Item) -> dict[str, int] | None:
    if item is not Item.TEST_READING:
        return None
    typed = {name: request.form.get(f"score_{name}", "") for name in CRITERIA}
    return {name: int(text) for name, text in typed.items() if text in ("1", "2", "3", "4", "5")}


def _day(name: str) -> date | None:
    """A day of the form; None where it is empty. Raises InvalidInput."""
    text = request.form.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput(name, "Give a day, as year-month-day.") from None


def _upload(actor_id: int) -> Intent | None:
    """The evidence that came with the form, put into the storage; None without one. Raises InvalidInput."""
    sent = request.files.get("evidence")
    if sent is None or not sent.filename:
        return None
    reason_given(request.form.get("reason", ""))
    prepared = files.picture(sent.stream)
    with transaction():
        intent = files.intend(actor_id, "application_evidence", prepared, clock.now())
    files.upload(intent, prepared)
    return intent
