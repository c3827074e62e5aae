"""Permissions: who may see and do what, as it stands in permissions.py, with the limits by amount that hold now."""

from flask_admin import expose

from soulseer.admin import permissions
from soulseer.admin.base import Guarded
from soulseer.domain import policies

ROLES = ("support", "moderator", "finance", "ops", "admin")


class PermissionsView(Guarded):
    page = "permissions"

    def __init__(self) -> None:
        super().__init__("Permissions", "Operations", endpoint="admin_permissions", url="permissions")

    @expose("/")
    def index(self) -> str:
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
