"""The webhook inbox: every event a vendor sent, and what became of it."""

from typing import Any

from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import DASH, badge, link
from soulseer.models.payments import WEBHOOK_STATUSES, WEBHOOK_WAYS
from soulseer.services import console_money_in, console_people, event_pulls, replays
from soulseer.services.console import Listed, Window


class WebhooksView(ListView):
    page = "webhooks"
    lead = "Stored as they came, before anything is done with them. Times are UTC."
    column_list = (
        "id",
        "status",
        "vendor",
        "type",
        "event_id",
        "attempts",
        "came_by",
        "received_at",
        "error",
    )
    column_labels = {
        "id": "Event",
        "event_id": "Vendor’s id",
        "came_by": "Came by",
        "received_at": "Received",
        "error": "Said",
    }
    column_numeric = ("attempts",)
    column_formatters = {
        "id": lambda view, context, row, name: link("webhooks", row.id, row.id),
        "status": lambda view, context, row, name: badge(row.status),
        "error": lambda view, context, row, name: row.error or DASH,
    }
    column_filters = (
        Choice("status", "Status", WEBHOOK_STATUSES),
        Words("type", "Type", hint="checkout.session.completed"),
        Choice("came_by", "Came by", WEBHOOK_WAYS),
        Words("event", "Vendor’s id", hint="evt_…"),
        Words("object", "About", hint="pi_…, cs_…, ch_…"),
        *days(),
    )

    list_template = "admin/webhooks.html"
    replayable, given_up = replays.REPLAYABLE, replays.ASIDE

    def rows(self, window: Window, **criteria: Any) -> Listed:
        self._template_args["covered_until"] = event_pulls.covered_until()
        return console_money_in.webhooks(window, **criteria)

    def show(self, id: int) -> str:
        return self.render(
            "admin/webhook.html",
            received=console_money_in.webhook(id),
            audit=console_people.audit_of("webhook_event", id),
        )

    @expose("/<int:id>/replay/", methods=("POST",))
    def replay(self, id: int) -> ResponseReturnValue:
        actor = self.actor("replay_event")

        def deed(reason: str, now: Any) -> str:
            replays.replay(id, actor, reason, now)
            return f"Event {id} is put back, and acted on again within moments."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/set-aside/", methods=("POST",))
    def set_aside(self, id: int) -> ResponseReturnValue:
        actor = self.actor("set_aside_event")

        def deed(reason: str, now: Any) -> str:
            replays.set_aside(id, actor, reason, now)
            return f"Event {id} is set aside for good."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/replay/", methods=("POST",))
    def replay_all(self) -> ResponseReturnValue:
        """Replay what the list shows, on all its pages; the list's filters stand in the address."""
        actor = self.actor("replay_events")
        chosen = self._get_list_filter_args()
        filters: list[Any] = self._filters or []
        criteria = {filters[index].field: filters[index].clean(value) for index, _, value in chosen}

        def deed(reason: str, now: Any) -> str:
            count, more = replays.replay_all(criteria, actor, reason, now)
            words = f"{count} event{'' if count == 1 else 's'} put back, and acted on again within moments."
            return f"{words} There are more: ask again." if more else words

        return self.change(deed, self.index_view, self.get_url(".index_view", **self._get_filters(chosen)))
