"""Subscriptions: who has which plan, what Stripe made of it, and canceling one for its owner."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import DASH, badge, link, money
from soulseer.models.subscriptions import SUBSCRIPTION_STATES
from soulseer.services import console_people, console_subscriptions
from soulseer.services.console import Listed, Window

KINDS = {"trialing": "good", "active": "good", "past_due": "warning", "lapsed": "danger", "canceled": ""}


class SubscriptionsView(ListView):
    page = "subscriptions"
    lead = "Recorded before Stripe is asked, and afterwards as Stripe has them. Times are UTC."
    empty = "Nobody has subscribed to a plan."
    column_list = ("id", "state", "person", "plan", "price", "period_end", "created_at")
    column_labels = {
        "id": "Subscription",
        "price": "Price",
        "period_end": "Period ends",
        "created_at": "Asked",
    }
    column_numeric = ("price",)
    column_formatters = {
        "id": lambda view, context, row, name: link("subscriptions", row.id, row.id),
        "state": lambda view, context, row, name: badge(
            row.Subscription.state, KINDS.get(row.Subscription.state)
        ),
        "person": lambda view, context, row, name: link("people", row.person, row.Subscription.person_id),
        "plan": lambda view, context, row, name: f"{row.Plan.name}, by the {row.PlanPrice.interval}",
        "price": lambda view, context, row, name: money(row.PlanPrice.amount),
        "period_end": lambda view, context, row, name: row.Subscription.current_period_end or DASH,
        "created_at": lambda view, context, row, name: row.Subscription.created_at,
    }
    column_filters = (
        Choice("state", "State", SUBSCRIPTION_STATES),
        Words("person", "Person", hint="handle or email"),
        Words("stripe", "Stripe id", hint="sub_…, cs_… or in_…"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_subscriptions.subscriptions(window, **criteria)

    def show(self, id: int) -> str:
        return self.render(
            "admin/subscription.html",
            dossier=console_subscriptions.subscription(id),
            kinds=KINDS,
            audit=console_people.audit_of("subscription", id),
        )

    @expose("/<int:id>/cancel/", methods=("POST",))
    def cancel(self, id: int) -> ResponseReturnValue:
        actor = self.actor("cancel_subscription")

        def deed(reason: str, now: Any) -> str:
            return console_subscriptions.cancel(id, request.form.get("way", ""), actor, reason, now)

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))
