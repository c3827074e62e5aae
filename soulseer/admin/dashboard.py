"""The front page of the back office, and the redirect to it."""

from typing import Any

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, expose
from flask_login import current_user

from soulseer.admin import permissions
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
    """What matters now: what waits for this person's role, trends, and whether the machinery runs."""

    page = "dashboard"

    def __init__(self) -> None:
        super().__init__("Now", endpoint="admin_dashboard", url="dashboard")

    @expose("/")
    def show(self) -> Any:
        now = clock.now()
        seen = console_now.now(now, lambda page: permissions.may_see(page, current_user.roles))
        return self.render("admin/dashboard.html", now=now, seen=seen)
