"""People: who they are, what they hold, and the ways on from there."""

from typing import Any

from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import DASH, badge, link
from soulseer.models.people import ROLES
from soulseer.services import console_people, staff_holds
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
        return self.render(
            "admin/person.html",
            known=console_people.known(id),
            audit=console_people.audit_of("person", id),
        )

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
