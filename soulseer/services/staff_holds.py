"""Staff stop a person's spending, and let it go on (services/holds)."""

from datetime import datetime

from soulseer.db import db
from soulseer.domain.errors import Conflict, NotFound
from soulseer.models.people import Person
from soulseer.services import frozen_readings, holds, mail, own_money

KIND = "staff"


def stop(person_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Stop the person's spending; ``reason`` is for them to read. A live reading ends, charged until then.

    Raises NotFound, Forbidden for oneself, Conflict where staff have stopped it already.
    """
    _decidable(person_id, actor_id)
    # Before the hold: a session's row is locked first.
    frozen_readings.end_of(person_id, now)
    if not holds.place(person_id, KIND, reason, now, actor_id=actor_id):
        raise Conflict("This person’s spending is stopped by staff already.")
    stamp = int(now.timestamp() * 1_000_000)
    mail.queue(
        person_id, "spending_stopped", {"reason": reason}, now, key=f"spending_stopped:{person_id}:{stamp}"
    )


def let_go_on(person_id: int, actor_id: int, reason: str, now: datetime) -> str:
    """Lift what staff had stopped: in words what came of it, since a dispute or a debt may stop it still.

    Raises NotFound, Forbidden for oneself, Conflict where staff have not stopped it.
    """
    _decidable(person_id, actor_id)
    if not holds.lift(person_id, KIND, now, actor_id=actor_id, reason=reason):
        raise Conflict("Staff have not stopped this person’s spending.")
    if holds.spending_frozen(person_id) is not None:
        return "Lifted. A dispute or a debt still stops this person’s spending."
    stamp = int(now.timestamp() * 1_000_000)
    mail.queue(person_id, "spending_resumed", {}, now, key=f"spending_resumed:{person_id}:{stamp}")
    return "This person can spend again."


def _decidable(person_id: int, actor_id: int) -> None:
    if db.session.get(Person, person_id) is None:
        raise NotFound(f"There is no person {person_id}.")
    own_money.refuse(actor_id, [person_id])
