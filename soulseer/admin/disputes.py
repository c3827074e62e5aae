"""Disputes: what banks ask back, what is answered, the evidence pack, and what is written off."""

from typing import Any

from flask import Response, flash, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import badge, link, money
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.disputes import ORDER
from soulseer.domain.errors import InvalidInput
from soulseer.domain.texts import clean_text
from soulseer.services import (
    audit,
    console_disputes,
    console_people,
    dispute_debts,
    dispute_responses,
    evidence,
    evidence_pack,
)
from soulseer.services.console import Listed, Window
from soulseer.services.console_actions import reason_given

LONGEST_STATEMENT = 10_000
KINDS = {"needs_response": "danger", "under_review": "warning", "lost": "danger", "won": "good"}


class DisputesView(ListView):
    page = "disputes"
    lead = "Payments that a payer’s bank asks back. The disputed money is gone until the bank decides. Times are UTC."
    empty = "No disputes."
    column_list = ("id", "state", "person", "amount", "reason", "opened_at", "due", "owed")
    column_labels = {
        "id": "Dispute",
        "person": "Client",
        "opened_at": "Opened",
        "due": "Answer until",
        "owed": "Not in the wallet",
    }
    column_numeric = ("amount", "owed")
    column_formatters = {
        "id": lambda view, context, row, name: link("disputes", row.id, row.id),
        "state": lambda view, context, row, name: badge(row.Dispute.state, KINDS.get(row.Dispute.state)),
        "person": lambda view, context, row, name: link("people", row.person, row.Dispute.person_id),
        "amount": lambda view, context, row, name: money(row.Dispute.amount),
        "reason": lambda view, context, row, name: row.Dispute.reason.replace("_", " "),
        "opened_at": lambda view, context, row, name: row.Dispute.opened_at,
        "due": lambda view, context, row, name: row.Dispute.evidence_due_at,
        "owed": lambda view, context, row, name: money(row.Dispute.receivable_part),
    }
    column_filters = (
        Choice("state", "State", list(ORDER)),
        Choice("open", "Undecided", ("yes", "no")),
        Words("person", "Client", hint="handle or email"),
        Words("stripe", "Stripe id", hint="dp_…, ch_… or pi_…"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_disputes.disputes(window, **criteria)

    def show(self, id: int) -> str:
        return self.render(
            "admin/dispute.html",
            case=console_disputes.case(id),
            kinds=KINDS,
            audit=console_people.audit_of("dispute", id),
        )

    @expose("/<int:id>/evidence.pdf", methods=("POST",))
    def pack(self, id: int) -> ResponseReturnValue:
        """The evidence pack. A POST, since who had it made and why is kept."""
        actor, now = self.actor("dispute_pack"), clock.now()
        try:
            reason = reason_given(request.form.get("reason", ""))
        except InvalidInput as error:
            flash(f"Reason: {error.detail}", "error")
            return self.show(id), error.status
        with transaction():
            found = evidence.collect(id)
            content = evidence_pack.render(found, now)
            details = {"bytes": len(content)}
            audit.record(
                "dispute.pack_downloaded", "dispute", id, now, actor_id=actor, reason=reason, details=details
            )
        name = evidence_pack.file_name(found)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, mimetype="application/pdf", headers=headers)

    @expose("/<int:id>/submit/", methods=("POST",))
    def submit(self, id: int) -> ResponseReturnValue:
        actor = self.actor("dispute_submit")

        def deed(reason: str, now: Any) -> str:
            statement = clean_text(
                "statement", request.form.get("statement", ""), LONGEST_STATEMENT, minimum=0
            )
            found = evidence.collect(id)
            document = evidence_pack.render(found, now) if request.form.get("with_pack") else None
            fields = evidence_pack.fields(found, statement)
            dispute_responses.record(id, "evidence", actor, reason, now, fields=fields, document=document)
            return "The evidence is on its way to the bank."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/accept/", methods=("POST",))
    def accept(self, id: int) -> ResponseReturnValue:
        actor = self.actor("dispute_accept")

        def deed(reason: str, now: Any) -> str:
            dispute_responses.record(id, "accept", actor, reason, now)
            return "The dispute is being accepted: it will be lost."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/write-off/", methods=("POST",))
    def write_off(self, id: int) -> ResponseReturnValue:
        actor = self.actor("dispute_write_off")

        def deed(reason: str, now: Any) -> str:
            amount = dispute_debts.write_off(id, actor, reason, now)
            return f"${amount} is written off."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))
