"""Nobody decides about their own money: one refusal for every deed of staff that moves some, or lets it move."""

from collections.abc import Iterable

from soulseer.domain.errors import Forbidden


def refuse(actor_id: int, owners: Iterable[int | None]) -> None:
    """Raise Forbidden where the member of staff ``actor_id`` is one of the ``owners`` (None: the platform)."""
    if actor_id in owners:
        raise Forbidden("Somebody else must decide about your own money.")
