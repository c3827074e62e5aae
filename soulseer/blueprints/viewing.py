"""Staff look at the site as somebody else: whose pages they see, and what stays closed to them.

What may be looked at is a list, so that a new route is closed until somebody has thought about it: pages that only read,
without rooms, messages, notes, documents or the API. Nothing that changes anything passes, whatever its address.
"""

from flask import g, request, session
from flask_login import current_user

from soulseer.domain import clock
from soulseer.domain.errors import Forbidden
from soulseer.services import staff_views
from soulseer.services.people import SignedIn

CONSOLE = "/admin/"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
VIEWABLE = frozenset(
    {
        "static",
        "front.index",
        "front.static_of_before",
        "dashboard.show",
        "reader_settings.show",
        "readers.browse",
        "readers.show",
        "favourites.show",
        "reading_list.show",
        "wallet.show",
        "refunds.show",
        "promotions.show",
        "auto_reload.show",
        "membership.show",
        "payouts.show",
        "payouts.years",
        "safety.show",
    }
)


def seen_as(staff: SignedIn) -> SignedIn:
    """Who this request speaks for: the person that the member of staff looks as, outside the console; else themselves."""
    if staff_views.KEY not in session or request.path.startswith(CONSOLE):
        return staff
    found = staff_views.seen(session[staff_views.KEY], staff, clock.now())
    if found is None:
        # Over by itself: whoever clicks on a page that was drawn before must not do it as themselves.
        session.pop(staff_views.KEY)
        g.view_is_over = True
        return staff
    person, g.viewing = found
    return person


def refuse() -> None:
    """Before each request: while viewing, nothing but what VIEWABLE names. Raises Forbidden."""
    if request.endpoint is None or request.path.startswith(CONSOLE):
        return
    # Whoever is asked for before may have found the view over, and taken it from the cookie.
    if not g.get("view_is_over") and (staff_views.KEY not in session or not current_user.is_authenticated):
        return
    if g.get("view_is_over") and request.method not in SAFE:
        raise Forbidden("Your view has ended: you are yourself again. Nothing was changed.")
    if not g.get("viewing"):
        return
    if request.method not in SAFE:
        raise Forbidden("You are viewing as somebody else: nothing can be changed.")
    if request.endpoint not in VIEWABLE:
        raise Forbidden("This stays closed while you view as somebody else.")
