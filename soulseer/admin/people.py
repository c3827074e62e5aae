"""People: who they are, what they hold, all that is known of them part by part, and what support does about them."""

import uuid
from datetime import date
from typing import Any

from flask import redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user

from soulseer.admin.base import ListView, cursor
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import DASH, badge, link
from soulseer.admin.person_sections import SECTIONS, TABS
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import InvalidInput
from soulseer.models.people import ROLES
from soulseer.services import (
    console_actions,
    console_people,
    console_person,
    staff_care,
    staff_holds,
    staff_views,
    suspensions,
)
from soulseer.services.console import Listed, Window


class PeopleView(ListView):
    page = "people"
    lead = "Everybody who ever signed in. A person is an issuer and a subject; one email address may be several people."
    column_list = ("id", "handle", "email", "roles", "standing", "created_at")
    column_labels = {"id": "Person", "created_at": "First sign-in"}
    column_formatters = {
        "id": lambda view, context, row, name: link("people", row.id, row.id),
        "handle": lambda view, context, row, name: link("people", row.handle, row.id),
        "email": lambda view, context, row, name: row.email or DASH,
        "roles": lambda view, context, row, name: ", ".join(sorted(row.roles or ())) or DASH,
        "standing": lambda view, context, row, name: (
            badge("suspended", "danger") if row.suspended_at else badge("active", "good")
        ),
    }
    column_filters = (
        Words("named", "Handle or email", hint="how it begins"),
        Choice("role", "Role", ROLES),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_people.people(window, **criteria)

    def show(self, id: int) -> str:
        known = console_people.known(id)
        return self.render(
            "admin/person.html",
            known=known,
            standing=console_person.standing(known.person, clock.now()),
            audit=console_people.audit_of("person", id),
            tabs=TABS,
            tab="",
        )

    @expose(f"/<int:id>/<any({', '.join(SECTIONS)}):section>/")
    def part(self, id: int, section: str) -> str:
        """One list about the person."""
        person = console_people.person(id)
        declared = SECTIONS[section]
        found = declared.rows(id, _window())
        return self.render(
            "admin/person_part.html", person=person, section=declared, found=found, tabs=TABS, tab=section
        )

    @expose("/<int:id>/notes/")
    def notes(self, id: int) -> str:
        person = console_people.person(id)
        found = console_person.notes(id, _window())
        return self.render("admin/person_notes.html", person=person, found=found, tabs=TABS, tab="notes")

    @expose("/<int:id>/devices/")
    def devices(self, id: int) -> str:
        person = console_people.person(id)
        found = console_person.devices(id, clock.now())
        return self.render("admin/person_devices.html", person=person, found=found, tabs=TABS, tab="devices")

    @expose("/<int:id>/suspend/", methods=("POST",))
    def suspend(self, id: int) -> ResponseReturnValue:
        actor = self.actor("suspend_person")

        def deed(reason: str, now: Any) -> str:
            live = suspensions.live_session(id)
            signs = console_actions.last_signs(live, now) if live else None
            until = staff_care.suspend(id, _day(request.form.get("until", "")), actor, reason, now, signs)
            return f"Suspended until {until:%Y-%m-%d %H:%M} UTC; they are told by mail."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/lift/", methods=("POST",))
    def lift(self, id: int) -> ResponseReturnValue:
        actor = self.actor("lift_suspension")

        def deed(reason: str, now: Any) -> str:
            staff_care.lift(id, actor, reason, now)
            return "The suspension is lifted; everything is as it was before."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/view/", methods=("POST",))
    def view_as(self, id: int) -> ResponseReturnValue:
        """Look at the site as the person (blueprints/viewing.py): the browser is led to their front page."""
        actor, login = self.actor("view_as"), current_user.login_id

        def deed(reason: str, now: Any) -> str:
            session[staff_views.KEY] = staff_views.start(id, actor, login, reason, now)
            return "You see the site as this person does."

        return self.change(deed, lambda: self.show(id), url_for("dashboard.show"))

    @expose("/view/end/", methods=("POST",))
    def end_view(self) -> ResponseReturnValue:
        """Back to oneself; to the person's page. Without a view it only leads to the list."""
        view_id = session.pop(staff_views.KEY, None)
        person_id = None
        if view_id is not None:
            with transaction():
                person_id = staff_views.end(view_id, int(current_user.id), clock.now())
        if person_id is None:
            return redirect(self.get_url(".index_view"), 303)
        return redirect(self.get_url(".details_view", id=person_id), 303)

    @expose("/<int:id>/end-reading/", methods=("POST",))
    def end_reading(self, id: int) -> ResponseReturnValue:
        actor = self.actor("end_person_reading")

        def deed(reason: str, now: Any) -> str:
            live = suspensions.live_session(id)
            signs = console_actions.last_signs(live or 0, now)
            return f"Reading {staff_care.end_reading(id, actor, reason, now, signs)} has ended."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/notes/add/", methods=("POST",))
    def add_note(self, id: int) -> ResponseReturnValue:
        """What is typed as the reason is the note."""
        actor = self.actor("note_person")

        def deed(body: str, now: Any) -> str:
            staff_care.note(id, actor, body, now, pinned=request.form.get("pinned") == "1")
            return "The note is kept."

        return self.change(deed, lambda: self.notes(id), self.get_url(".notes", id=id))

    @expose("/<int:id>/notes/<int:note>/withdraw/", methods=("POST",))
    def withdraw_note(self, id: int, note: int) -> ResponseReturnValue:
        actor = self.actor("withdraw_note")

        def deed(reason: str, now: Any) -> str:
            staff_care.withdraw_note(id, note, actor, reason, now)
            return "The note is withdrawn."

        return self.change(deed, lambda: self.notes(id), self.get_url(".notes", id=id))

    @expose("/<int:id>/end-logins/", methods=("POST",))
    def end_logins(self, id: int) -> ResponseReturnValue:
        actor = self.actor("end_logins")

        def deed(reason: str, now: Any) -> str:
            ended = staff_care.end_logins(id, _login(request.form.get("login", "")), actor, reason, now)
            return f"Signed out of {ended} {'browser' if ended == 1 else 'browsers'}."

        return self.change(deed, lambda: self.devices(id), self.get_url(".devices", id=id))

    @expose("/<int:id>/stop-spending/", methods=("POST",))
    def stop_spending(self, id: int) -> ResponseReturnValue:
        actor = self.actor("stop_spending")

        def deed(reason: str, now: Any) -> str:
            staff_holds.stop(id, actor, reason, now)
            return "This person’s spending is stopped; they read the reason."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/let-spend/", methods=("POST",))
    def let_spend(self, id: int) -> ResponseReturnValue:
        actor = self.actor("let_spend")

        def deed(reason: str, now: Any) -> str:
            return staff_holds.let_go_on(id, actor, reason, now)

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))


def _window() -> Window:
    return Window(20, cursor("before"), cursor("after"))


def _day(text: str) -> date:
    """Raises InvalidInput (``until``)."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput("until", "Last day: write it like 2026-12-31.") from None


def _login(text: str) -> uuid.UUID | None:
    """None for all of them. Raises InvalidInput (``login``)."""
    if text == "all":
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidInput("login", "Choose the sign-in that is to end.") from None
