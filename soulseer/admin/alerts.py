"""Ledger alerts: what a person must look at, and closing one with what was found."""

from typing import Any

from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words
from soulseer.admin.formats import badge, link
from soulseer.services import console_actions, console_ledger, console_people
from soulseer.services.console import Listed, Window


def status(row: Any) -> Any:
    """Open or resolved."""
    is_open = row.LedgerAlert.resolved_at is None
    return badge("open" if is_open else "resolved", "warning" if is_open else "good")


class AlertsView(ListView):
    page = "alerts"
    lead = "Where the books and something else disagree. An alert stays open until somebody says what it was."
    empty = "No alerts: the books agree with everything that was checked."
    column_list = ("id", "status", "kind", "session", "detail", "created_at")
    column_labels = {"id": "Alert", "session": "Reading", "created_at": "Raised"}
    column_formatters = {
        "id": lambda view, context, row, name: link("alerts", row.id, row.id),
        "status": lambda view, context, row, name: status(row),
        "kind": lambda view, context, row, name: row.LedgerAlert.kind,
        "session": lambda view, context, row, name: link(
            "sessions", row.LedgerAlert.reading_session_id, row.LedgerAlert.reading_session_id
        ),
        "detail": lambda view, context, row, name: row.LedgerAlert.detail,
        "created_at": lambda view, context, row, name: row.LedgerAlert.created_at,
    }
    column_filters = (Choice("status", "Status", ("open", "resolved")), Words("kind", "Kind"))

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_ledger.alerts(window, **criteria)

    def show(self, id: int) -> str:
        alert, resolver = console_ledger.alert(id)
        return self.render(
            "admin/alert.html",
            alert=alert,
            resolver=resolver,
            audit=console_people.audit_of("ledger_alert", id),
        )

    @expose("/<int:id>/resolve/", methods=("POST",))
    def resolve(self, id: int) -> ResponseReturnValue:
        actor = self.actor("resolve_alert")

        def deed(reason: str, now: Any) -> str:
            console_actions.resolve_alert(id, actor, reason, now)
            return f"Alert {id} is resolved."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))
