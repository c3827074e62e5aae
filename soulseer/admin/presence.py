"""The console's own door, beside roles: a sign-in with a second factor where the settings ask for one, and nobody away for
too long. A change that comes too late is kept with the sign-in, and shown again to be sent after a new one."""

from flask import make_response, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView
from flask_login import current_user

from soulseer.db import transaction
from soulseer.domain import clock, policies
from soulseer.services import staff_access
from soulseer.services.staff_access import Refusal


def refuse(view: BaseView) -> ResponseReturnValue | None:
    """The page that asks to sign in anew; None where the present member of staff may go on. Nothing is changed."""
    now = clock.now()
    why = staff_access.refusal(current_user, now)
    if why is None:
        if staff_access.is_due(current_user, now):
            with transaction():
                staff_access.seen(current_user.login_id, now)
        return None
    back, kept = _here(), False
    if request.method == "POST" and current_user.login_id is not None:
        with transaction():
            kept = staff_access.keep(current_user.login_id, request.path, request.form.to_dict(flat=False))
        back = url_for("admin_permissions.index", draft=current_user.login_id) if kept else back
    page = view.render(
        "admin/sign_in_anew.html",
        why=why,
        kept=kept,
        changing=request.method == "POST",
        minutes=int(policies.current().staff.idle.total_seconds() // 60),
        sign_in=url_for("auth.login", anew=1, next=back),
    )
    answer = make_response(page, 401 if why is Refusal.AWAY else 403)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _here() -> str:
    """The page that was asked for; of a change, the console's front page."""
    if request.method != "GET":
        return "/admin/dashboard/"
    query = request.query_string.decode("latin-1")
    return f"{request.path}?{query}" if query else request.path
