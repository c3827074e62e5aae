"""The front page of the back office, and the redirect to it."""

from typing import Any

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, expose

from soulseer.admin.base import Guarded
from soulseer.domain import clock
from soulseer.services import console_now


class IndexView(Guarded, AdminIndexView):
    """``/admin/`` leads to the front page."""

    page = "dashboard"

    def is_visible(self) -> bool:
        return False

    @expose("/")
    def index(self) -> ResponseReturnValue:  # type: ignore[override]
        return redirect(url_for("admin_dashboard.show"))


class DashboardView(Guarded):
    """What matters now."""

    page = "dashboard"

    def __init__(self) -> None:
        super().__init__("Now", endpoint="admin_dashboard", url="dashboard")

    @expose("/")
    def show(self) -> Any:
        now = clock.now()
        return self.render("admin/dashboard.html", now=now, seen=console_now.now(now))
