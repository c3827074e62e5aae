"""The webhook inbox: every event a vendor sent, and what became of it."""

from typing import Any

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import DASH, badge, link
from soulseer.models.payments import WEBHOOK_STATUSES
from soulseer.services import console_money_in, console_people
from soulseer.services.console import Listed, Window


class WebhooksView(ListView):
    page = "webhooks"
    lead = "Stored as they came, before anything is done with them. Times are UTC."
    column_list = ("id", "status", "vendor", "type", "event_id", "attempts", "received_at", "error")
    column_labels = {"id": "Event", "event_id": "Vendor’s id", "received_at": "Received", "error": "Said"}
    column_numeric = ("attempts",)
    column_formatters = {
        "id": lambda view, context, row, name: link("webhooks", row.id, row.id),
        "status": lambda view, context, row, name: badge(row.status),
        "error": lambda view, context, row, name: row.error or DASH,
    }
    column_filters = (
        Choice("status", "Status", WEBHOOK_STATUSES),
        Words("type", "Type", hint="checkout.session.completed"),
        Words("event", "Vendor’s id", hint="evt_…"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_money_in.webhooks(window, **criteria)

    def show(self, id: int) -> str:
        return self.render(
            "admin/webhook.html",
            received=console_money_in.webhook(id),
            audit=console_people.audit_of("webhook_event", id),
        )
