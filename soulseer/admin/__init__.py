"""The back office on Flask-Admin: one small view per duty (docs/back-office.md)."""

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme

from soulseer.admin import formats
from soulseer.admin.accounts import AccountsView
from soulseer.admin.alerts import AlertsView
from soulseer.admin.applications import ApplicationsView
from soulseer.admin.audit import AuditView
from soulseer.admin.cases import CasesView
from soulseer.admin.dashboard import DashboardView, IndexView
from soulseer.admin.disputes import DisputesView
from soulseer.admin.jobs import JobsView
from soulseer.admin.matrix import PermissionsView
from soulseer.admin.payouts import PayoutAccountsView, PayoutsView
from soulseer.admin.people import PeopleView
from soulseer.admin.promotions import PromotionsView
from soulseer.admin.reconciliation import DaysView, DifferencesView, ReconciliationsView
from soulseer.admin.refunds import RefundsView
from soulseer.admin.runs import RunsView
from soulseer.admin.search import SearchView
from soulseer.admin.sessions import SessionsView
from soulseer.admin.subscriptions import SubscriptionsView
from soulseer.admin.top_ups import TopUpsView
from soulseer.admin.transactions import TransactionsView
from soulseer.admin.webhooks import WebhooksView


def init_admin(app: Flask, *, environment: str) -> None:
    """Mount the console at /admin/. ``environment`` is what its head says that one is working on."""
    formats.init_formats(app)
    app.config["CONSOLE_ENVIRONMENT"] = environment
    admin = Admin(app, name="SoulSeer", index_view=IndexView(), theme=Bootstrap4Theme(fluid=True))
    admin.add_views(
        DashboardView(),
        SearchView(),
        SessionsView("Readings", "People"),
        PeopleView("People", "People"),
        CasesView("Cases", "People"),
        ApplicationsView("Applications", "People"),
        AccountsView("Accounts", "Money"),
        TransactionsView("Transactions", "Money"),
        AlertsView("Alerts", "Money"),
        TopUpsView("Top-ups", "Money"),
        PromotionsView("Promotional credit", "Money"),
        SubscriptionsView("Subscriptions", "Money"),
        RefundsView("Refunds", "Money"),
        DisputesView("Disputes", "Money"),
        PayoutsView("Payouts", "Money"),
        PayoutAccountsView("Payout accounts", "Money"),
        DifferencesView("Differences", "Money"),
        ReconciliationsView("Reconciliations", "Money"),
        DaysView("Days", "Money"),
        JobsView("Jobs", "Operations"),
        RunsView("Runs", "Operations"),
        WebhooksView("Webhook inbox", "Operations"),
        AuditView("Audit log", "Operations"),
        PermissionsView(),
    )
