"""Refunds: the queue, one with every entry, a new one previewed and asked for, and a second person's word."""

import uuid
from datetime import datetime
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import badge, link, money
from soulseer.domain.errors import InvalidInput, NotFound
from soulseer.domain.refunds import Destination, RefundState
from soulseer.services import console_people, console_refunds, refunds, top_ups
from soulseer.services.console import Listed, Window
from soulseer.services.reversals import Source

# The page of the console that shows each kind of source.
PAGES = {
    "reading": "sessions",
    "transaction": "transactions",
    "top_up": "top_ups",
    "invoice": "subscriptions",
}
KINDS = {
    "requested": "warning",
    "approved": "information",
    "sent": "information",
    "settled": "good",
    "failed": "danger",
    "declined": "",
    "cancelled": "",
}
SOURCE = "/<kind>/<int:number>/"


def state_badge(state: str) -> Any:
    """A refund's state in its own word."""
    return badge(state, KINDS[state])


def source_of(kind: str, number: int) -> Source:
    """What an address names. Raises NotFound."""
    if kind not in PAGES:
        raise NotFound()
    return Source(kind, number)


def source_link(row: Any) -> Any:
    """What a row's refund gives back, with the way to it."""
    kind, number = row.Refund.source
    return link(PAGES[kind], f"{kind.replace('_', '-')} {number}", row.subscription_id or number)


class RefundsView(ListView):
    page = "refunds"
    lead = "Booked before Stripe is asked; State “requested” waits for a second person. Times are UTC."
    column_list = ("id", "state", "person", "amount", "source", "destination", "asked_by", "requested_at")
    column_labels = {
        "id": "Refund",
        "person": "Client",
        "source": "Of",
        "destination": "To",
        "asked_by": "By",
        "requested_at": "Asked",
    }
    column_numeric = ("amount",)
    column_formatters = {
        "id": lambda view, context, row, name: link("refunds", row.id, row.id),
        "state": lambda view, context, row, name: state_badge(row.Refund.state),
        "person": lambda view, context, row, name: link("people", row.client, row.Refund.person_id),
        "amount": lambda view, context, row, name: money(row.Refund.amount),
        "source": lambda view, context, row, name: source_link(row),
        "destination": lambda view, context, row, name: row.Refund.destination,
        "asked_by": lambda view, context, row, name: row.asked_by or "Stripe’s dashboard",
        "requested_at": lambda view, context, row, name: row.Refund.requested_at,
    }
    column_filters = (
        Choice("state", "State", list(RefundState)),
        Choice("destination", "To", list(Destination)),
        Words("person", "Client", hint="handle or email"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_refunds.listing(window, **criteria)

    def show(self, id: int) -> str:
        case = console_refunds.case(id)
        return self.render(
            "admin/refund.html",
            case=case,
            refund=case.refund,
            source=source_link(case.row),
            state_of=state_badge,
            borne_by=console_refunds.borne_by,
            audit=console_people.audit_of("refund", id),
        )

    # A new one ----------------------------------------------------------------------------------------------------

    def draft(self, source: Source) -> str:
        """The form, and the preview once an amount is given."""
        # What was posted, or what is in the address.
        typed = {name: request.values.get(name, "").strip() for name in ("amount", "minutes")}
        found = console_refunds.draft(source, typed["amount"], typed["minutes"])
        return self.render(
            "admin/refund_new.html",
            draft=found,
            source=link(PAGES[source.kind], str(source), console_refunds.shown_under(source)),
            typed=typed,
            state_of=state_badge,
            borne_by=console_refunds.borne_by,
            request_key=str(uuid.uuid4()),
        )

    @expose("/new" + SOURCE)
    def new(self, kind: str, number: int) -> str:
        return self.draft(source_of(kind, number))

    @expose("/ask" + SOURCE, methods=("POST",))
    def ask(self, kind: str, number: int) -> ResponseReturnValue:
        actor = self.actor("make_refund")
        source = source_of(kind, number)

        def deed(reason: str, now: datetime) -> str:
            amount = top_ups.typed_amount(request.form.get("amount", ""))
            made = refunds.request(
                source, amount, request.form.get("plan", ""), actor, reason, now, key=_key("key")
            )
            if made.needs_approval:
                return f"Refund {made.id} waits for a second person’s approval."
            return f"Refund {made.id} of ${made.amount} is {made.state}."

        return self.change(deed, lambda: self.draft(source), self.get_url(".new", kind=kind, number=number))

    # A second person's word ---------------------------------------------------------------------------------------

    @expose("/<int:id>/approve/", methods=("POST",))
    def approve(self, id: int) -> ResponseReturnValue:
        actor = self.actor("approve_refund")

        def deed(reason: str, now: datetime) -> str:
            done = refunds.approve(id, request.form.get("plan", ""), actor, reason, now)
            return f"Refund {id} is {done.state}."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/decline/", methods=("POST",))
    def decline(self, id: int) -> ResponseReturnValue:
        actor = self.actor("decline_refund")

        def deed(reason: str, now: datetime) -> str:
            refunds.decline(id, actor, reason, now)
            return f"Refund {id} is declined."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/cancel/", methods=("POST",))
    def cancel(self, id: int) -> ResponseReturnValue:
        actor = self.actor("cancel_refund")

        def deed(reason: str, now: datetime) -> str:
            refunds.cancel(id, actor, reason, now)
            return f"Refund {id} is cancelled."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))


def _key(name: str) -> str:
    """The form's own key. Raises InvalidInput."""
    try:
        return str(uuid.UUID(request.form.get(name, "")))
    except ValueError:
        raise InvalidInput(name, "Please preview it again.") from None
