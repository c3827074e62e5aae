"""One search, on every page of the console: what an id names opens at once, everything else is a page of groups."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user

from soulseer.admin import permissions
from soulseer.admin.base import Guarded
from soulseer.admin.formats import place
from soulseer.domain.errors import InvalidInput
from soulseer.domain.texts import clean_line
from soulseer.services import console_search
from soulseer.services.console_search import Found, Hit


class SearchView(Guarded):
    page = "search"

    def __init__(self) -> None:
        super().__init__("Search", endpoint="admin_search", url="search")

    @expose("/")
    def show(self) -> ResponseReturnValue:
        text, found = asked()
        if found.exact is not None:
            return redirect(address(found.exact))
        return self.render("admin/search.html", text=text, found=found, address=address)

    @expose("/suggest/")
    def suggest(self) -> str:
        """The same as a list below the field, for the script that asks while one types."""
        text, found = asked()
        return self.render("admin/search_part.html", text=text, found=found, address=address)


def asked() -> tuple[str, Found]:
    """What was typed, and what of it this person may see; what cannot be text finds nothing."""
    typed = request.args.get("q", "")
    try:
        text = clean_line("q", typed, console_search.LONGEST)
    except InvalidInput:
        return "", Found(())
    seen = {page for page in permissions.PAGES if permissions.may_see(page, current_user.roles)}
    return text, console_search.search(text, seen)


def address(hit: Hit) -> str:
    """Where a hit is opened."""
    if hit.minute is not None:
        return url_for("admin_transactions.minute", session_id=hit.id, minute=hit.minute)
    found = place(hit.page, hit.id)
    assert found is not None, "nothing is found that one may not see"
    return found
