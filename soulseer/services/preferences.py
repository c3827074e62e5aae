"""What a person prefers to see; for show only."""

from functools import lru_cache
from zoneinfo import available_timezones

from sqlalchemy import update

from soulseer.db import db
from soulseer.domain.errors import InvalidInput
from soulseer.models.people import Person


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """The names of IANA time zones, without those that only name this machine's."""
    return frozenset(
        name for name in available_timezones() if name not in ("localtime", "posixrules", "Factory")
    )


def set_time_zone(person_id: int, zone: str) -> None:
    """Set the person's time zone to an IANA name. Raises InvalidInput (``time_zone``)."""
    if zone not in known_zones():
        raise InvalidInput("time_zone", "This is no time zone that we know, such as Europe/Lisbon.")
    db.session.execute(
        update(Person)
        .where(Person.id == person_id, Person.time_zone != zone)
        .values(time_zone=zone)
        .execution_options(synchronize_session="fetch")
    )
