"""Nobody acts on their own account: one refusal for everything that staff do.

The console's door says who of the staff acts (``acting``); from then on no audit entry of theirs may be about themselves,
whatever service writes it, and without its entry there is no deed. What the services refuse before, they refuse in their own
words; this is what no new action can forget.
"""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from soulseer.db import db
from soulseer.domain.errors import Forbidden
from soulseer.models.operations import AuditEntry

# What anybody may do to themselves: sign their own browsers out.
ALLOWED = frozenset({"person.logins_ended"})
_ACTOR = "acting_staff"


def acting(actor_id: int) -> None:
    """For the rest of this request the member of staff ``actor_id`` acts in the back office."""
    db.session.info[_ACTOR] = actor_id


def is_watched(session: Session, entry: AuditEntry) -> bool:
    """Whether ``entry`` is the deed of the member of staff who acts, and must not be about themselves."""
    actor_id = session.info.get(_ACTOR)
    return actor_id is not None and entry.actor_id == actor_id and entry.action not in ALLOWED


def refuse(actor_id: int, concerned: Iterable[int | None]) -> None:
    """Raise Forbidden where ``actor_id`` is one of those whom a deed concerns."""
    if actor_id in concerned:
        raise Forbidden("This is about yourself: somebody else must do it.")
