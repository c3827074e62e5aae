"""The audit log: what staff and jobs did to money or people."""

import json
from typing import Any

from soulseer.admin.base import ListView
from soulseer.admin.filters import Words
from soulseer.admin.formats import DASH, link
from soulseer.services import console_people
from soulseer.services.console import Listed, Window


class AuditView(ListView):
    page = "audit"
    lead = "Written in the same transaction as the deed, and never changed. Times are UTC."
    column_list = ("id", "at", "actor", "action", "object", "reason")
    column_labels = {"id": "Entry", "object": "About"}
    column_formatters = {
        "id": lambda view, context, row, name: link("audit", row.id, row.id),
        "at": lambda view, context, row, name: row.AuditEntry.at,
        "actor": lambda view, context, row, name: (
            link("people", row.actor, row.AuditEntry.actor_id) if row.actor else "system"
        ),
        "action": lambda view, context, row, name: row.AuditEntry.action,
        "object": lambda view, context, row, name: f"{row.AuditEntry.object_type} {row.AuditEntry.object_id}",
        "reason": lambda view, context, row, name: row.AuditEntry.reason or DASH,
    }
    column_filters = (
        Words("actor", "By", hint="handle or email"),
        Words("action", "Action"),
        Words("object_type", "About a", hint="reading_session"),
        Words("object_id", "Its number"),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_people.audit_entries(window, **criteria)

    def show(self, id: int) -> str:
        found = console_people.audit_entry(id)
        details = json.dumps(found.AuditEntry.details, indent=2, ensure_ascii=False)
        return self.render("admin/audit_entry.html", found=found, details=details)
