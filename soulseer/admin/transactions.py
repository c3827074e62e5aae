"""Ledger transactions: the list, one with both sides, and a paid minute as the transaction that it is."""

from typing import Any

from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Number, Words, days
from soulseer.admin.formats import DASH, link, money
from soulseer.domain.transfers import TransferKind
from soulseer.services import console_ledger, console_people, reversals
from soulseer.services.console import Listed, Window


class TransactionsView(ListView):
    page = "transactions"
    lead = "Every movement but reading minutes, which stand with their reading. Times are UTC."
    column_list = ("id", "kind", "amount", "session", "idempotency_key", "stripe", "created_at")
    column_labels = {
        "id": "Transaction",
        "idempotency_key": "Idempotency key",
        "session": "Reading",
        "stripe": "Stripe",
        "created_at": "Booked",
    }
    column_numeric = ("amount",)
    column_formatters = {
        "id": lambda view, context, row, name: link("transactions", row.id, row.id),
        "kind": lambda view, context, row, name: row.LedgerTransaction.kind.replace("_", " "),
        "amount": lambda view, context, row, name: money(row.amount),
        "session": lambda view, context, row, name: link(
            "sessions", row.LedgerTransaction.reading_session_id, row.LedgerTransaction.reading_session_id
        ),
        "idempotency_key": lambda view, context, row, name: row.LedgerTransaction.idempotency_key,
        "stripe": lambda view, context, row, name: row.LedgerTransaction.stripe_reference or DASH,
        "created_at": lambda view, context, row, name: row.LedgerTransaction.created_at,
    }
    column_filters = (
        Choice("kind", "Kind", [kind for kind in TransferKind if kind is not TransferKind.READING_MINUTE]),
        Words("key", "Idempotency key"),
        Number("session", "Reading"),
        Words("stripe", "Stripe id", hint="pi_…"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_ledger.transactions(window, **criteria)

    def show(self, id: int) -> str:
        booked = console_ledger.transaction_in_full(id)
        return self.render(
            "admin/transaction.html",
            booked=booked,
            can_be_taken_back=reversals.can_be_taken_back(booked.transaction.kind),
            audit=console_people.audit_of("ledger_transaction", id),
        )

    @expose("/minutes/<int:session_id>/<int:minute>/")
    def minute(self, session_id: int, minute: int) -> str:
        return self.render(
            "admin/minute.html", booked=console_ledger.minute_in_full(session_id, min(minute, 2**31 - 1))
        )
