"""Reconciliation with Stripe: differences and what mends them, runs, days to be closed."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from markupsafe import Markup

from soulseer.admin.base import Guarded, ListView
from soulseer.admin.filters import Choice, Words
from soulseer.admin.formats import badge, link, money
from soulseer.domain import clock
from soulseer.domain.errors import InvalidInput
from soulseer.domain.money import from_cents
from soulseer.models.reconciliation import DIFFERENCE_CLASSES, DIFFERENCE_STATES
from soulseer.services import console_people, console_reconciliation, day_close, reconciliation_mending
from soulseer.services.console import Listed, Window

STATES = {"open": "warning", "explained": "information", "mended": "good", "closed": ""}


class DifferencesView(ListView):
    page = "differences"
    lead = (
        "Where the books and Stripe's own list do not come to the same cents. Amounts are Stripe's less ours."
    )
    empty = "No differences: every cent at Stripe is in the books, and none besides."
    column_list = ("id", "state", "kind", "gap", "words", "reference", "day")
    column_labels = {"id": "Difference", "kind": "Class", "gap": "Gap", "words": "What it is"}
    column_numeric = ("gap",)
    column_formatters = {
        "id": lambda view, context, row, name: link("differences", row.id, row.id),
        "state": lambda view, context, row, name: badge(
            row.ReconciliationDifference.state, STATES[row.ReconciliationDifference.state]
        ),
        "kind": lambda view, context, row, name: row.ReconciliationDifference.difference_class.replace(
            "_", " "
        ),
        "gap": lambda view, context, row, name: money(row.ReconciliationDifference.gap, True),
        "words": lambda view, context, row, name: row.ReconciliationDifference.words,
        "reference": lambda view, context, row, name: row.ReconciliationDifference.reference,
        "day": lambda view, context, row, name: Markup('<span class="nowrap">{}</span>').format(
            row.ReconciliationDifference.day
        ),
    }
    column_filters = (
        Choice("state", "State", DIFFERENCE_STATES),
        Choice("kind", "Class", DIFFERENCE_CLASSES),
        Words("reference", "Reference", hint="pi_… or txn_…"),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_reconciliation.differences(window, **criteria)

    def show(self, id: int) -> str:
        found = console_reconciliation.difference(id)
        audit = console_people.audit_of(reconciliation_mending.OBJECT, id)
        return self.render("admin/difference.html", found=found, row=found.row, states=STATES, audit=audit)

    @expose("/<int:id>/approve/", methods=("POST",))
    def approve(self, id: int) -> ResponseReturnValue:
        actor = self.actor("approve_difference")

        def deed(reason: str, now: datetime) -> str:
            previewed = request.form.get("previewed", "")
            transaction_id = reconciliation_mending.approve(id, previewed, actor, reason, now)
            if transaction_id is None:
                return "Approved. An amount of this size needs a second person's approval as well."
            return f"Difference {id} is mended by transaction {transaction_id}."

        return self._changed(id, deed)

    @expose("/<int:id>/explain/", methods=("POST",))
    def explain(self, id: int) -> ResponseReturnValue:
        actor = self.actor("explain_difference")

        def deed(reason: str, now: datetime) -> str:
            reconciliation_mending.explain(id, actor, reason, now)
            return f"Difference {id} stands as explained."

        return self._changed(id, deed)

    @expose("/<int:id>/ask/", methods=("POST",))
    def ask(self, id: int) -> ResponseReturnValue:
        actor = self.actor("ask_about_difference")

        def deed(reason: str, now: datetime) -> str:
            reconciliation_mending.ask_again(id, actor, reason, now)
            return "A worker asks Stripe and compares again; look here in a minute."

        return self._changed(id, deed)

    def _changed(self, id: int, deed: Any) -> ResponseReturnValue:
        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))


class ReconciliationsView(ListView):
    page = "reconciliations"
    lead = "Each comparison of the books with Stripe's list. The gap is Stripe's balance less ours; times are UTC."
    empty = "The books were never compared: run the job reconcile."
    column_list = ("id", "at", "verdict", "gap", "unexplained", "differing", "compared", "imported", "booked")
    column_labels = {
        "id": "Run",
        "at": "When",
        "verdict": "Result",
        "differing": "Differences",
        "compared": "References",
        "imported": "New lines",
        "booked": "Fees and bank",
    }
    column_numeric = ("gap", "unexplained", "differing", "compared", "imported", "booked")
    column_formatters = {
        "id": lambda view, context, row, name: link("reconciliations", row.id, row.id),
        "verdict": lambda view, context, row, name: verdict(row.ReconciliationRun),
        "gap": lambda view, context, row, name: money(row.ReconciliationRun.gap, True),
        "unexplained": lambda view, context, row, name: money(row.ReconciliationRun.unexplained),
        **{
            each: lambda view, context, row, name: getattr(row.ReconciliationRun, name)
            for each in ("at", "differing", "compared", "imported", "booked")
        },
    }

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_reconciliation.runs(window)

    def show(self, id: int) -> str:
        run = console_reconciliation.run(id)
        return self.render("admin/reconciliation.html", run=run, verdict=verdict, from_cents=from_cents)


def verdict(run: Any) -> Any:
    """Agrees, explained, or unexplained."""
    if run.unexplained:
        return badge("unexplained", "danger")
    return badge("explained", "warning") if run.gap else badge("agrees", "good")


class DaysView(Guarded):
    page = "days"

    def __init__(self, name: str, category: str) -> None:
        super().__init__(name, category, endpoint="admin_days", url="days")

    @expose("/")
    def index_view(self) -> str:
        return self._page()

    def _page(self) -> str:
        before = _day(request.args.get("before", ""))
        found = console_reconciliation.days(clock.now(), before)
        return self.render("admin/days.html", found=found, first_page=before is None, dollars=Decimal)

    @expose("/close/", methods=("POST",))
    def close(self) -> ResponseReturnValue:
        actor = self.actor("close_day")

        def deed(reason: str, now: datetime) -> str:
            through = _day(request.form.get("day", ""))
            if through is None:
                raise InvalidInput("day", "Name the day, such as 2026-11-20.")
            days = day_close.close(through, actor, reason, now)
            return (
                f"{days[-1]} is closed." if len(days) == 1 else f"{len(days)} days to {days[-1]} are closed."
            )

        return self.change(deed, self._page, self.get_url(".index_view"))


def _day(text: str) -> date | None:
    """A day as it stands in an address or a form; nonsense is none."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None
