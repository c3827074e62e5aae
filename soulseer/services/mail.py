"""Mail to people: queued in the transaction of what it tells, sent by a job."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.models.mail import MailMessage


def queue(person_id: int, template: str, values: Mapping[str, str], now: datetime, *, key: str) -> int | None:
    """Note that the person is to be sent ``templates/email/<template>``, filled with ``values``; the row's id.

    ``key`` is the unique name of what it tells (``top_up_receipt:17``): the same again is the same message, and then
    None comes back. Amounts and instants in ``values`` are strings: ``"25.00"``, ISO 8601 UTC.
    """
    return db.session.scalar(
        upsert(MailMessage)
        .values(
            person_id=person_id,
            key=key,
            template=template,
            values=dict(values),
            state="queued",
            created_at=now,
            next_attempt_at=now,
            attempts=0,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(MailMessage.id)
    )
