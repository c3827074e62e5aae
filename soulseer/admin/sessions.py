"""Reading sessions: the list, and one with its states and its money in one order of time."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin import timeline_picture
from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import badge, link, money
from soulseer.domain import clock
from soulseer.domain.moderation import REASONS_FOR_PEOPLE
from soulseer.domain.readings import Modality, State
from soulseer.services import (
    connection_evidence,
    console_actions,
    console_people,
    console_sessions,
    console_timeline,
)
from soulseer.services.console import Listed, Window


class SessionsView(ListView):
    page = "sessions"
    lead = "Every reading, newest first. Times are UTC."
    column_list = (
        "id",
        "state",
        "modality",
        "client",
        "reader",
        "rate",
        "minutes",
        "cost",
        "created",
        "ended",
    )
    column_labels = {"id": "Reading", "rate": "A minute", "created": "Requested"}
    column_numeric = ("rate", "minutes", "cost")
    column_formatters = {
        "id": lambda view, context, row, name: link("sessions", row.id, row.id),
        "state": lambda view, context, row, name: badge(row.ReadingSession.state),
        "modality": lambda view, context, row, name: row.ReadingSession.modality,
        "client": lambda view, context, row, name: link("people", row.client, row.client_id),
        "reader": lambda view, context, row, name: link("people", row.reader, row.reader_id),
        "rate": lambda view, context, row, name: money(row.ReadingSession.rate),
        "minutes": lambda view, context, row, name: row.ReadingSession.minutes_billed,
        "cost": lambda view, context, row, name: money(row.ReadingSession.cost),
        "created": lambda view, context, row, name: row.ReadingSession.created_at,
        "ended": lambda view, context, row, name: row.ReadingSession.ended_at,
    }
    column_filters = (
        Choice("state", "State", list(State)),
        Choice("modality", "Modality", list(Modality)),
        Words("client", "Client", hint="handle or email"),
        Words("reader", "Reader", hint="handle or email"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_sessions.sessions(window, **criteria)

    def show(self, id: int) -> str:
        case, now = console_sessions.case(id), clock.now()
        facts = console_timeline.facts_of(case.session)
        connection = connection_evidence.of(case.session, facts.moves)
        return self.render(
            "admin/session.html",
            case=case,
            moments=console_timeline.timeline(facts),
            connection=connection,
            audit=console_people.audit_of("reading_session", id),
            reasons=REASONS_FOR_PEOPLE,
            now=now,
            **timeline_picture.shown(case.session, facts, connection, now, request.args.get("at", "")),
        )

    @expose("/<int:id>/end/", methods=("POST",))
    def end(self, id: int) -> ResponseReturnValue:
        actor = self.actor("end_session")

        def deed(reason: str, now: Any) -> str:
            signs = console_actions.last_signs(id, now)
            console_actions.end_session(id, actor, reason, now, signs)
            return f"Reading {id} has ended."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/finalize/", methods=("POST",))
    def finalize(self, id: int) -> ResponseReturnValue:
        actor = self.actor("retry_finalize")

        def deed(reason: str, now: Any) -> str:
            done = console_actions.retry_finalize(id, actor, reason, now)
            return f"Reading {id} is finalized." if done else f"Reading {id} still disagrees with the ledger."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/report/", methods=("POST",))
    def report(self, id: int) -> ResponseReturnValue:
        actor = self.actor("report_session")

        def deed(reason: str, now: Any) -> str:
            case_id = console_actions.report_session(
                id, request.form.get("about", ""), request.form.get("because", ""), actor, reason, now
            )
            return f"Reported: it is case {case_id} of the moderators."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))
