"""Payouts to readers, and their accounts at Stripe: looked at, retried, paused and resumed."""

from typing import Any

from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import DASH, badge, link, money
from soulseer.models.payouts import PAYOUT_STATES
from soulseer.services import console_payouts, console_people, payout_accounts, payout_words
from soulseer.services.console import Listed, Window

KINDS = {"open": "information", "paid": "good", "failed": "danger", "reversed": "warning"}
ACCOUNT_KINDS = {"ready": "good", "paused": "warning", "incomplete": "information"}


class PayoutsView(ListView):
    page = "payouts"
    lead = "All that a reader had available, recorded and set aside before Stripe is asked. Times are UTC."
    column_list = (
        "id",
        "state",
        "reader",
        "amount",
        "came_back",
        "origin",
        "transfer",
        "created_at",
        "paid_at",
    )
    column_labels = {"id": "Payout", "came_back": "Came back", "created_at": "Begun", "paid_at": "Sent"}
    column_numeric = ("amount", "came_back")
    column_formatters = {
        "id": lambda view, context, row, name: link("payouts", row.id, row.id),
        "state": lambda view, context, row, name: badge(row.Payout.state, KINDS[row.Payout.state]),
        "reader": lambda view, context, row, name: link("people", row.reader, row.Payout.person_id),
        "amount": lambda view, context, row, name: money(row.Payout.amount),
        "came_back": lambda view, context, row, name: money(row.Payout.reversed_amount or None),
        "origin": lambda view, context, row, name: row.Payout.origin,
        "transfer": lambda view, context, row, name: row.Payout.stripe_transfer_id or DASH,
        "created_at": lambda view, context, row, name: row.Payout.created_at,
        "paid_at": lambda view, context, row, name: row.Payout.paid_at,
    }
    column_filters = (
        Choice("state", "State", PAYOUT_STATES),
        Words("person", "Reader", hint="handle or email"),
        Words("stripe", "Stripe id", hint="tr_… or acct_…"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_payouts.listing(window, **criteria)

    def show(self, id: int) -> str:
        return self.render(
            "admin/payout.html",
            case=console_payouts.payout(id),
            kinds=KINDS,
            audit=console_people.audit_of("payout", id),
        )

    @expose("/<int:id>/retry/", methods=("POST",))
    def retry(self, id: int) -> ResponseReturnValue:
        actor = self.actor("retry_payout")

        def deed(reason: str, now: Any) -> str:
            console_payouts.retry(id, actor, reason, now)
            return f"Payout {id} is being sent again, under the same key."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))


class PayoutAccountsView(ListView):
    page = "payout_accounts"
    lead = "Readers’ accounts at Stripe, as Stripe last told of them."
    empty = "No reader has set up payouts."
    column_list = ("id", "status", "reader", "account", "needs", "checked_at")
    column_labels = {"id": "Person", "account": "Stripe account", "needs": "Still due", "checked_at": "As of"}
    column_formatters = {
        "id": lambda view, context, row, name: link("payout_accounts", row.id, row.id),
        "status": lambda view, context, row, name: badge(
            console_payouts.status_of(row.PayoutAccount),
            ACCOUNT_KINDS[console_payouts.status_of(row.PayoutAccount)],
        ),
        "reader": lambda view, context, row, name: link("people", row.reader, row.id),
        "account": lambda view, context, row, name: row.PayoutAccount.stripe_account_id or DASH,
        "needs": lambda view, context, row, name: len(
            payout_words.all_needed([*row.PayoutAccount.past_due, *row.PayoutAccount.currently_due])
        ),
        "checked_at": lambda view, context, row, name: row.PayoutAccount.checked_at,
    }
    column_filters = (
        Choice("status", "Status", tuple(ACCOUNT_KINDS)),
        Words("person", "Reader", hint="handle or email"),
        Words("stripe", "Stripe account", hint="acct_…"),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_payouts.accounts(window, **criteria)

    def show(self, id: int) -> str:
        known = console_payouts.account(id)
        account = known.account
        return self.render(
            "admin/payout_account.html",
            known=known,
            status=console_payouts.status_of(account),
            kinds=ACCOUNT_KINDS,
            needed=payout_words.all_needed([*account.past_due, *account.currently_due]),
            audit=console_people.audit_of("payout_account", id),
        )

    @expose("/<int:id>/pause/", methods=("POST",))
    def pause(self, id: int) -> ResponseReturnValue:
        actor = self.actor("pause_payouts")

        def deed(reason: str, now: Any) -> str:
            payout_accounts.pause(id, reason, now, actor_id=actor)
            return "Payouts to this reader are paused; the reader reads the reason."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/resume/", methods=("POST",))
    def resume(self, id: int) -> ResponseReturnValue:
        actor = self.actor("resume_payouts")

        def deed(reason: str, now: Any) -> str:
            payout_accounts.resume(id, actor, reason, now)
            return "Payouts to this reader go on."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))
