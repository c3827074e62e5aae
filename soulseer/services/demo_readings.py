"""Live sessions of numbered demo people, for load: brought to active by the services that everybody uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import aliased

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.readings import Modality, Role
from soulseer.gateways.presence import Signs
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import LiveParticipant
from soulseer.services import readings
from soulseer.services.readings import Caller


@dataclass(frozen=True)
class Pair:
    """A client and a reader, neither of them in a live session."""

    client_id: int
    reader_id: int
    slug: str


def free_pairs(wanted: Sequence[tuple[str, str]], issuer: str) -> list[Pair]:
    """Those of the (client's subject, reader's subject) that exist and where neither is in a live session."""
    partner = dict(wanted)
    client, person = aliased(Person), aliased(Person)
    live = select(LiveParticipant.person_id)
    clients = db.session.execute(
        select(client.subject, client.id).where(
            client.issuer == issuer, client.subject.in_(list(partner)), client.id.not_in(live)
        )
    ).all()
    readers = {
        row.subject: row
        for row in db.session.execute(
            select(person.subject, person.id, ReaderProfile.slug)
            .join(ReaderProfile, ReaderProfile.person_id == person.id)
            .where(
                person.issuer == issuer, person.subject.in_(list(partner.values())), person.id.not_in(live)
            )
        )
    }
    return [
        Pair(row.id, readers[partner[row.subject]].id, readers[partner[row.subject]].slug)
        for row in clients
        if partner[row.subject] in readers
    ]


def activate(pair: Pair, now: datetime) -> int:
    """Request, and both join: an active text session (its id) with its first minute paid.

    Call it inside a transaction; several pairs may share one. Raises what ``readings.request`` and ``join`` raise.
    """
    session_id = readings.request(pair.client_id, pair.slug, Modality.TEXT.value, now).id
    # Nobody was seen before; the joins themselves are the first signs of life.
    nothing_seen = Signs(now, None, None)
    for role, person_id in ((Role.CLIENT, pair.client_id), (Role.READER, pair.reader_id)):
        readings.join(session_id, Caller(role, person_id), now, nothing_seen)
    after_commit(lambda: _remember(session_id, now))
    return session_id


def _remember(session_id: int, now: datetime) -> None:
    timeout = policies.current().reading.presence_timeout
    for role in (Role.CLIENT, Role.READER):
        gateways.current().presence.touch(session_id, role.value, now, timeout, even_after_gap=True)
