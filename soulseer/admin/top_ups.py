"""Top-ups: what was asked for, and what Stripe made of it."""

from typing import Any

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import DASH, badge, link, money
from soulseer.models.payments import TOP_UP_STATES
from soulseer.services import console_money_in, console_people
from soulseer.services.console import Listed, Window


class TopUpsView(ListView):
    page = "top_ups"
    lead = "Recorded before Stripe is asked; credited once Stripe says paid. Times are UTC."
    column_list = ("id", "state", "person", "amount", "checkout", "created_at", "paid_at")
    column_labels = {"id": "Top-up", "checkout": "Checkout session", "created_at": "Asked", "paid_at": "Paid"}
    column_numeric = ("amount",)
    column_formatters = {
        "id": lambda view, context, row, name: link("top_ups", row.id, row.id),
        "state": lambda view, context, row, name: badge(row.TopUp.state),
        "person": lambda view, context, row, name: link("people", row.person, row.TopUp.person_id),
        "amount": lambda view, context, row, name: money(row.TopUp.amount),
        "checkout": lambda view, context, row, name: row.TopUp.stripe_checkout_session_id or DASH,
        "created_at": lambda view, context, row, name: row.TopUp.created_at,
        "paid_at": lambda view, context, row, name: row.TopUp.paid_at,
    }
    column_filters = (
        Choice("state", "State", TOP_UP_STATES),
        Words("person", "Person", hint="handle or email"),
        Words("stripe", "Stripe id", hint="cs_… or pi_…"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_money_in.top_ups(window, **criteria)

    def show(self, id: int) -> str:
        found, credited = console_money_in.top_up(id)
        return self.render(
            "admin/top_up.html",
            found=found,
            credited=credited,
            audit=console_people.audit_of("top_up", id),
        )
