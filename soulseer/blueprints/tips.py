"""POST /readings/{id}/tip/: a tip from the receipt's page; and what that page offers."""

import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import MONEY, limited
from soulseer.blueprints.rendering import money
from soulseer.db import transaction
from soulseer.domain import clock, policies
from soulseer.domain.errors import (
    Conflict,
    IdempotencyMismatch,
    InsufficientFunds,
    InvalidInput,
    SpendingFrozen,
)
from soulseer.domain.readings import Role
from soulseer.models.readings import ReadingSession
from soulseer.services import tips

blueprint = Blueprint("tips", __name__)

_REQUEST_KEY = re.compile(r"[A-Za-z0-9-]{8,64}")
OWN = "own"


@dataclass(frozen=True)
class Offer:
    """What the form of a tip shows; ``key`` is the form's own, so that it is paid once."""

    amounts: list[tips.Split]
    minimum: Decimal
    maximum: Decimal
    percent: str
    key: str


def offer(session: ReadingSession, role: Role) -> Offer | None:
    """For the client of a reading that took place; else None."""
    if role is not Role.CLIENT or session.activated_at is None:
        return None
    policy = policies.current().tip
    percent = f"{(policy.reader_share * 100).normalize():f}"
    return Offer(tips.offered(), policy.minimum, policy.maximum, percent, str(uuid.uuid4()))


@blueprint.post("/readings/<int:session_id>/tip/")
@limited(MONEY)
def give(session_id: int) -> ResponseReturnValue:
    """Pay it and say how it was shared; the same form sent twice pays once. What is refused is said on the receipt."""
    person = require_person()
    chosen = request.form.get("choice", OWN)
    key = request.form.get("request_key", "")
    back: Any = redirect(url_for("readings.show", session_id=session_id, _anchor="tip"), 303)
    try:
        amount = tips.typed_amount(request.form.get("amount", "") if chosen == OWN else chosen)
        if not _REQUEST_KEY.fullmatch(key):
            raise InvalidInput("request_key", "Please load the page again.")
        with transaction():
            given = tips.give(session_id, person.id, amount, key, clock.now())
    except InsufficientFunds as refusal:
        flash(
            f"Nothing was paid: {money(refusal.missing)} is missing. Tips are paid from your own money; promotional credit "
            "stays for readings.",
            "warning",
        )
        return back
    except (InvalidInput, SpendingFrozen, IdempotencyMismatch, Conflict) as refusal:
        flash(f"Nothing was paid. {refusal.detail}", "error")
        return back
    shared = given.split
    flash(
        f"Thank you. {given.reader_name} gets {money(shared.reader)} of your {money(shared.amount)}.",
        "success",
    )
    return back
