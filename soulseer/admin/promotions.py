"""Promotional credit: every grant, and giving somebody more of it."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from flask import abort, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user

from soulseer.admin import permissions
from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words, days
from soulseer.admin.formats import DASH, badge, link, money
from soulseer.domain import clock, policies
from soulseer.domain.errors import InvalidInput
from soulseer.domain.money import parse_amount
from soulseer.models.promotions import PROMOTION_STATES
from soulseer.services import console_people, console_promotions, promotion_grants
from soulseer.services.console import Listed, Window, people_named

# Whoever holds one of these gives without support's limit.
UNLIMITED = frozenset({permissions.FINANCE, permissions.ADMIN})
KINDS = {"open": "good", "spent": "", "expired": ""}


class PromotionsView(ListView):
    page = "promotions"
    list_template = "admin/promotions.html"
    lead = "Credit that expires, spent before cash and never paid out. Times are UTC."
    column_list = ("id", "state", "person", "amount", "remaining", "expires_at", "giver", "created_at")
    column_labels = {"id": "Credit", "remaining": "Left", "expires_at": "Until", "giver": "Given by"}
    column_numeric = ("amount", "remaining")
    column_formatters = {
        "id": lambda view, context, row, name: link("promotions", row.id, row.id),
        "state": lambda view, context, row, name: badge(
            row.PromotionalCredit.state, KINDS[row.PromotionalCredit.state]
        ),
        "person": lambda view, context, row, name: link(
            "people", row.person, row.PromotionalCredit.person_id
        ),
        "amount": lambda view, context, row, name: money(row.PromotionalCredit.amount),
        "remaining": lambda view, context, row, name: money(row.PromotionalCredit.remaining),
        "expires_at": lambda view, context, row, name: row.PromotionalCredit.expires_at,
        "giver": lambda view, context, row, name: (
            row.giver or ("given back" if row.PromotionalCredit.source_id else DASH)
        ),
        "created_at": lambda view, context, row, name: row.PromotionalCredit.created_at,
    }
    column_filters = (
        Choice("state", "State", PROMOTION_STATES),
        Words("person", "Person", hint="handle or email"),
        Words("giver", "Given by", hint="handle or email"),
        *days(),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_promotions.grants(window, **criteria)

    def show(self, id: int) -> str:
        return self.render(
            "admin/promotion.html",
            case=console_promotions.grant(id),
            kinds=KINDS,
            audit=console_people.audit_of("promotional_credit", id),
        )

    @expose("/person/")
    def of_person(self) -> str:
        """Whose credit: asked for by ``named``, a handle, email address or number; the form to grant stands on it."""
        named = request.args.get("named", "").strip()
        found = people_named(named) if named else []
        if len(found) == 1:
            return self.of(found[0])
        return self.render("admin/promotion_person.html", client=None, named=named, found=found)

    def of(self, person_id: int) -> str:
        """One person's credit; what was typed stays in the form."""
        return self.render(
            "admin/promotion_person.html",
            client=console_promotions.client(person_id, clock.now()),
            kinds=KINDS,
            policy=policies.current().promotion,
            limited=self.limited(),
            # The same key again is the same grant: two clicks grant once.
            key=_key(request.form.get("key", "")) or uuid.uuid4(),
            given=request.form,
        )

    @staticmethod
    def limited() -> bool:
        """Whether support's limit holds for whoever is here."""
        return UNLIMITED.isdisjoint(current_user.roles)

    @expose("/person/<int:id>/grant/", methods=("POST",))
    def grant(self, id: int) -> ResponseReturnValue:
        actor = self.actor("grant_promotion")
        key = _key(request.form.get("key", ""))
        if key is None:
            abort(400, "The form came without its key: open the page anew.")

        def deed(reason: str, now: datetime) -> str:
            made, new = promotion_grants.grant(
                id,
                _amount(request.form.get("amount", "")),
                _end_of(request.form.get("until", "")),
                reason,
                now,
                key=f"console:{key}",
                actor_id=actor,
                limited=self.limited(),
            )
            words = f"Promotional credit {made.id} over {made.amount:.2f} dollars"
            return f"{words} is granted." if new else f"{words} had been granted; nothing was granted twice."

        return self.change(deed, lambda: self.of(id), self.get_url(".of_person", named=id))


def _amount(text: str) -> Decimal:
    """Raises InvalidInput (``amount``)."""
    try:
        return parse_amount(text)
    except ValueError as error:
        raise InvalidInput("amount", str(error)) from None


def _end_of(text: str) -> datetime:
    """The end of the day, UTC. Raises InvalidInput (``expires_at``)."""
    try:
        day = date.fromisoformat(text.strip())
        return datetime.combine(day + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        raise InvalidInput("expires_at", "Until: write the last day like 2026-12-31.") from None


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
