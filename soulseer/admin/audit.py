"""The audit log: what staff and jobs did to money or people."""

import json
from typing import Any

from markupsafe import Markup

from soulseer.admin.base import ListView
from soulseer.admin.filters import Words, days
from soulseer.admin.formats import DASH, link, moment
from soulseer.services import audit_chain, console_audit
from soulseer.services.console import Listed, Window

WRITTEN = Markup("Written in the same transaction as the deed, and never changed. Times are UTC. ")


class AuditView(ListView):
    page = "audit"
    column_list = ("id", "at", "actor", "action", "object", "person", "reason")
    column_labels = {"id": "Entry", "actor": "By", "object": "About"}
    column_formatters = {
        "id": lambda view, context, row, name: link("audit", row.id, row.id),
        "at": lambda view, context, row, name: row.AuditEntry.at,
        "actor": lambda view, context, row, name: (
            link("people", row.actor, row.AuditEntry.actor_id) if row.actor else "system"
        ),
        "action": lambda view, context, row, name: row.AuditEntry.action,
        "object": lambda view, context, row, name: f"{row.AuditEntry.object_type} {row.AuditEntry.object_id}",
        "person": lambda view, context, row, name: (
            link("people", row.subject, row.AuditEntry.subject_id) if row.subject else DASH
        ),
        "reason": lambda view, context, row, name: row.AuditEntry.reason or DASH,
    }
    column_filters = (
        Words("actor", "By", hint="handle or email"),
        Words("person", "Person", hint="whom it is about"),
        Words("action", "Action"),
        Words("object_type", "About a", hint="reading_session"),
        Words("object_id", "Its number"),
        *days(),
    )

    @property
    def lead(self) -> str:  # type: ignore[override]
        end = audit_chain.head()
        if end.linked_at is None:
            return WRITTEN + "Nothing is chained yet."
        return WRITTEN + Markup("Chained at {}, head <code>{}:{}</code>").format(
            moment(end.linked_at), end.position, end.hash
        )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_audit.entries(window, **criteria)

    def show(self, id: int) -> str:
        found = console_audit.entry(id)
        details = json.dumps(found.AuditEntry.details, indent=2, ensure_ascii=False)
        return self.render(
            "admin/audit_entry.html",
            found=found,
            details=details,
            changes=console_audit.changes(found.AuditEntry),
        )
