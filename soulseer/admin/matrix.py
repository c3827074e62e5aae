"""Permissions: who may see and do what, as it stands in permissions.py, with the limits by amount that hold now."""

from flask import request
from flask_admin import expose
from flask_login import current_user

from soulseer.admin import permissions
from soulseer.admin.base import Guarded
from soulseer.domain import clock, policies
from soulseer.services import staff_access

# Fields of a form that nobody typed.
MECHANICAL = frozenset({"key", "plan", "previewed"})
ROLES = ("support", "moderator", "finance", "ops", "admin")


class PermissionsView(Guarded):
    page = "permissions"

    def __init__(self) -> None:
        super().__init__("Permissions", "Operations", endpoint="admin_permissions", url="permissions")

    @expose("/")
    def index(self) -> str:
        """The matrix; with ``draft``, what a sign-in of one's own was about to do (presence.py)."""
        kept = staff_access.draft(request.args.get("draft", ""), current_user.id, clock.now())
        if kept is not None:
            shown = [
                (name.replace("_", " ").capitalize(), value)
                for name, value in kept.form
                if name not in MECHANICAL
            ]
            return self.render("admin/draft.html", draft=kept, shown=shown)
        now = policies.current()
        limits = [
            (limit.action, sorted(limit.roles, key=ROLES.index), limit.amount(now), limit.words)
            for limit in permissions.LIMITS
        ]
        return self.render(
            "admin/permissions.html",
            roles=ROLES,
            columns=[("What", ""), *((role, "") for role in ROLES)],
            pages=permissions.PAGES,
            actions=permissions.ACTIONS,
            limits=limits,
        )
