"""Who of the staff may be in the back office now: the sign-in's second factor, how long it was away, and what it was about
to do when it came back too late."""

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from soulseer.db import db
from soulseer.domain import policies
from soulseer.models.people import Login
from soulseer.services.people import SignedIn

# How exactly the last use is kept: so often at most a sign-in's row is written.
GRAIN = timedelta(minutes=1)
# What a kept change may hold, and for how long it is shown.
MOST_CHARACTERS = 50_000
KEPT_FOR = timedelta(hours=12)
_NOT_KEPT = frozenset({"csrf_token"})


class Refusal(enum.StrEnum):
    """Why one must sign in anew."""

    SECOND_FACTOR = "second_factor"
    AWAY = "away"


@dataclass(frozen=True)
class Draft:
    """A change that was not done: its address, and what was typed."""

    path: str
    form: list[tuple[str, str]]


def refusal(who: SignedIn, now: datetime) -> Refusal | None:
    """Why ``who`` must sign in anew before they go on; None where they may. No statement."""
    rules = policies.current().staff
    if rules.second_factor and not who.second_factor:
        return Refusal.SECOND_FACTOR
    if who.login_at is not None and now - (who.console_seen_at or who.login_at) > rules.idle:
        return Refusal.AWAY
    return None


def is_due(who: SignedIn, now: datetime) -> bool:
    """Whether the last use in the sign-in's row is so old that it must be noted anew."""
    return who.login_id is not None and (who.console_seen_at is None or now - who.console_seen_at >= GRAIN)


def seen(login_id: uuid.UUID, now: datetime) -> None:
    """Note that the sign-in was used in the back office."""
    db.session.execute(update(Login).where(Login.id == login_id).values(console_seen_at=now))


def keep(login_id: uuid.UUID, path: str, form: Mapping[str, list[str]]) -> bool:
    """Keep a change that came too late; whether it is small enough."""
    pairs = [[name, value] for name, values in form.items() for value in values if name not in _NOT_KEPT]
    if sum(len(name) + len(value) for name, value in pairs) > MOST_CHARACTERS:
        return False
    db.session.execute(
        update(Login).where(Login.id == login_id).values(console_draft={"path": path, "form": pairs})
    )
    return True


def draft(login_id: str, person_id: int, now: datetime) -> Draft | None:
    """What this sign-in of the person was about to do; None where nothing is kept, or it is too old."""
    try:
        wanted = uuid.UUID(login_id)
    except ValueError:
        return None
    kept = db.session.scalar(
        select(Login.console_draft).where(
            Login.id == wanted, Login.person_id == person_id, Login.console_seen_at > now - KEPT_FOR
        )
    )
    return None if kept is None else Draft(kept["path"], [(name, value) for name, value in kept["form"]])
