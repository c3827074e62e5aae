"""What every view of the console shares: who may come in, read-only lists paged by place, changes by explicit POST."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import Admin, BaseView, expose
from flask_admin.model import BaseModelView
from flask_admin.model.base import ViewArgs
from flask_login import current_user
from wtforms import Form

from soulseer.admin import permissions, presence
from soulseer.admin.filters import ListFilter
from soulseer.admin.formats import DASH, moment
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import Forbidden, NotFound, NotSignedIn, SoulSeerError
from soulseer.services import own_account
from soulseer.services.console import LARGEST, Listed, Window
from soulseer.services.console_actions import reason_given

# Flask-Admin's own ways to change rows: their routes are not even made.
CHANGING_ROUTES = frozenset(
    {"create_view", "edit_view", "delete_view", "action_view", "ajax_lookup", "ajax_update", "export"}
)


class Guarded(BaseView):
    """A page of permissions.PAGES, named by ``page``; its endpoint is ``admin_{page}``."""

    page = ""
    _default_view: str | None = None

    def is_accessible(self) -> bool:
        return permissions.may_see(self.page, current_user.roles)

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Any:
        if not current_user.is_authenticated:
            raise NotSignedIn()
        raise Forbidden("Your role does not include this page.")

    def _handle_view(self, name: str, **kwargs: Any) -> Any:
        """Before every view: the role, then the sign-in itself."""
        return super()._handle_view(name, **kwargs) or presence.refuse(self)

    def actor(self, action: str) -> int:
        """The id of the member of staff who does ``action``; from here on, nothing about themselves. Raises Forbidden."""
        if not permissions.may_do(action, current_user.roles):
            raise Forbidden("Your role does not include this.")
        actor_id = int(current_user.id)
        own_account.acting(actor_id)
        return actor_id

    def render(self, template: str, **kwargs: Any) -> str:
        kwargs.setdefault("now", clock.now())
        return super().render(template, may=self.may, **kwargs)

    @staticmethod
    def may(action: str) -> bool:
        """Whether the present person may do ``action``."""
        return permissions.may_do(action, current_user.roles)

    def change(
        self, deed: Callable[[str, datetime], str], show: Callable[[], str], done: str
    ) -> ResponseReturnValue:
        """Do ``deed(reason, now)`` in one transaction; it says what it did, and the browser goes to ``done``.

        What is refused is said on the page that ``show`` draws, with the refusal's status; nothing is changed.
        """
        now = clock.now()
        try:
            reason = reason_given(request.form.get("reason", ""))
            with transaction():
                said = deed(reason, now)
        except SoulSeerError as error:
            if error.status >= 500 or isinstance(error, NotFound | Forbidden):
                raise
            words = f"Reason: {error.detail}" if error.extra.get("field") == "reason" else error.detail
            flash(words, "error")
            return show(), error.status
        flash(said, "success")
        return redirect(done, 303)


class ListView(Guarded, BaseModelView):
    """A list and its details over a query of services/console*: no model, no form, nothing of Flask-Admin's that
    writes. Pages go by place in id order: no count, no offset, the same cost on the first page and on the last."""

    can_create = can_edit = can_delete = can_export = False
    can_view_details = True
    can_set_page_size = True
    page_size = 20
    page_size_options = (20, 50, 100)
    column_display_actions = False
    column_type_formatters = {datetime: lambda view, value, name: moment(value), type(None): lambda *_: DASH}
    list_template = "admin/model/list.html"
    # Columns that hold numbers or amounts: set to the right.
    column_numeric: tuple[str, ...] = ()
    # What stands above the list, and what it says when it is empty.
    lead = ""
    empty = "Nothing matches."

    def __init__(self, name: str, category: str) -> None:
        super().__init__(
            object, name, category, endpoint=f"admin_{self.page}", url=self.page.replace("_", "-")
        )

    _urls: list[Any]

    def create_blueprint(self, admin: Admin) -> Any:
        self._urls = [route for route in self._urls if route[1] not in CHANGING_ROUTES]
        return super().create_blueprint(admin)

    # What a list declares ------------------------------------------------------------------------------------------

    def rows(self, window: Window, **criteria: Any) -> Listed:
        """The window of the list, narrowed by the filters' fields."""
        raise NotImplementedError

    def show(self, id: int) -> str:
        """The page of one thing. Raises NotFound."""
        raise NotImplementedError

    @expose("/<int:id>/")
    def details_view(self, id: int) -> str:
        return self.show(id)

    # What Flask-Admin asks a backend -------------------------------------------------------------------------------

    def scaffold_form(self) -> type[Form]:
        return Form

    def scaffold_list_form(self, *args: Any, **kwargs: Any) -> type[Form]:
        return Form

    def scaffold_list_columns(self) -> list[str]:
        return list(self.column_list or ())

    def scaffold_sortable_columns(self) -> dict[Any, Any]:
        return {}

    def init_search(self) -> bool:
        return False

    def get_pk_value(self, model: Any) -> Any:
        return model.id

    def get_filter_arg(self, index: int, flt: Any) -> str:
        return str(flt.field)

    def get_list(
        self,
        page: Any,
        sort_field: Any,
        sort_desc: Any,
        search: Any,
        filters: Any,
        page_size: int | None = None,
    ) -> tuple[Any, Any]:
        chosen: list[ListFilter] = self._filters or []
        criteria = {chosen[index].field: chosen[index].clean(value) for index, _, value in filters or ()}
        window = Window(page_size or self.page_size, cursor("before"), cursor("after"))
        found = self.rows(window, **criteria)
        here = ViewArgs(page_size=page_size, filters=filters)
        self._template_args.update(
            older_url=found.older and self._get_list_url(here.clone(extra_args={"before": found.older})),
            newer_url=found.newer and self._get_list_url(here.clone(extra_args={"after": found.newer})),
        )
        return None, found.rows

    def _get_list_filter_args(self) -> list[Any]:
        filters = []
        for index, wanted in enumerate(self._filters or ()):
            value = request.args.get(wanted.field, "")
            if not value.strip():
                continue
            if wanted.validate(value):
                filters.append((index, str(wanted.name), value))
            else:
                flash(f"{wanted.name}: “{value[:60]}” does not fit, and was left out.", "warning")
        return filters

    def _get_list_extra_args(self) -> ViewArgs:
        return ViewArgs(
            page_size=request.args.get("page_size", 0, type=int), filters=self._get_list_filter_args()
        )

    def _get_filters(self, filters: Any) -> dict[str, str]:
        chosen = self._filters or []
        return {chosen[index].field: value for index, _, value in filters or ()}

    def _get_list_url(self, view_args: ViewArgs) -> str:
        size = self.get_safe_page_size(view_args.page_size)
        arguments: dict[str, Any] = self._get_filters(view_args.filters)
        if size != self.page_size:
            arguments["page_size"] = size
        return self.get_url(".index_view", **arguments, **view_args.extra_args)


def cursor(name: str) -> int | None:
    """A place in the list from the address; nonsense is none."""
    value = request.args.get(name, "")
    return (
        int(value)
        if value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= LARGEST
        else None
    )
