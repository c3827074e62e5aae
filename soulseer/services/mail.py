"""Mail to people: queued in the transaction of what it tells, sent by a job (design §2: intent, call, outcome)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from jinja2 import TemplateError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain.errors import Conflict, NotFound
from soulseer.gateways.mail import Letter
from soulseer.models.mail import MailMessage
from soulseer.models.people import Person
from soulseer.services import mail_texts

log = structlog.get_logger(__name__)
# A sender that died with a message in hand gives it up after this; sending takes less (gateways/mail.TIMEOUT_SECONDS).
LEASE = timedelta(minutes=5)
MOST_ATTEMPTS = 10
FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(hours=6)
NO_ADDRESS = "the person has no verified address"


@dataclass(frozen=True)
class Claimed:
    """A message in hand: ``letter`` is to be sent; None where it came to ``state`` without being sent."""

    message_id: int
    state: str
    letter: Letter | None = None


def queue(person_id: int, template: str, values: Mapping[str, str], now: datetime, *, key: str) -> int | None:
    """Note that the person is to be sent ``templates/email/<template>``, filled with ``values``; the row's id.

    ``key`` is the unique name of what it tells (``top_up_receipt:17``): the same again is the same message, and then
    None comes back. Amounts and instants in ``values`` are strings: ``"25.00"``, ISO 8601 UTC. Call it inside
    transaction(): the job is woken after the commit, and finds the row by itself where that is lost.
    """
    message_id = db.session.scalar(
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
    if message_id is not None:
        after_commit(partial(wake, message_id))
    return message_id


def wake(name: object) -> None:
    """Have what is due sent now rather than at the next sweep; call it after the commit. One run sends all of it, so that
    a thousand receipts are no thousand runs. Nothing where no mail server is set: what is queued waits."""
    current = gateways.current()
    if current.mail.configured:
        current.queue.wake("payments", "send_mail", name)


def due(now: datetime) -> list[int]:
    """The ids of the messages that are due, longest first."""
    return list(
        db.session.scalars(
            select(MailMessage.id)
            .where(MailMessage.state == "queued", MailMessage.next_attempt_at <= now)
            .order_by(MailMessage.next_attempt_at)
        )
    )


def claim(now: datetime, message_id: int | None = None) -> Claimed | None:
    """Take this message if it is due, or the one that is due longest; None where there is none to take.

    It comes back by itself after a lease, so that a sender that dies loses nothing; the message is then sent a second
    time, under the same Message-ID.
    """
    query = select(MailMessage).where(MailMessage.state == "queued", MailMessage.next_attempt_at <= now)
    if message_id is not None:
        query = query.where(MailMessage.id == message_id)
    row = db.session.scalars(
        query.order_by(MailMessage.next_attempt_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    if row.attempts >= MOST_ATTEMPTS:
        row.state, row.error = "failed", row.error or "every sender died with it in hand"
        return Claimed(row.id, "failed")
    row.attempts += 1
    row.next_attempt_at = now + LEASE
    person = db.session.get_one(Person, row.person_id)
    if not person.email or not person.email_verified:
        row.state, row.error = "dropped", NO_ADDRESS
        return Claimed(row.id, "dropped")
    try:
        written = mail_texts.write(row.template, row.values, handle=person.handle, time_zone=person.time_zone)
    except (TemplateError, ValueError, ArithmeticError, TypeError) as error:
        # Ours to mend; then it can be replayed.
        log.exception("mail_not_written", message=row.id, template=row.template)
        row.state, row.error = "failed", _words(f"{type(error).__name__}: {error}")
        return Claimed(row.id, "failed")
    letter = Letter(
        name=_name(row),
        to=person.email,
        subject=written.subject,
        text=written.text,
        html=written.html,
        written_at=row.created_at,
    )
    return Claimed(row.id, "queued", letter)


def _name(row: MailMessage) -> str:
    """The same at every attempt; the instant tells apart the databases that send from one domain."""
    return f"mail.{row.id}.{int(row.created_at.timestamp() * 1_000_000)}"


def note_sent(message_id: int, now: datetime) -> str:
    """The mail server has taken the message; its state afterwards."""
    row = _locked(message_id)
    if row.state == "queued":
        row.state, row.sent_at, row.error = "sent", now, None
    return row.state


def note_failure(message_id: int, words: str, now: datetime, *, for_good: bool) -> str:
    """The mail server has not taken it: it is offered again later, up to MOST_ATTEMPTS times. Its state afterwards."""
    row = _locked(message_id)
    if row.state != "queued":
        return row.state
    row.error = _words(words)
    if for_good or row.attempts >= MOST_ATTEMPTS:
        row.state = "failed"
    else:
        row.next_attempt_at = now + min(FIRST_RETRY * 2 ** (row.attempts - 1), LAST_RETRY)
    return row.state


def failed(limit: int) -> list[MailMessage]:
    """What was given up, newest first."""
    return list(
        db.session.scalars(
            select(MailMessage)
            .where(MailMessage.state == "failed")
            .order_by(MailMessage.id.desc())
            .limit(limit)
        )
    )


def replay(message_id: int, now: datetime) -> MailMessage:
    """Put a message that failed in line again, as new. Raises NotFound, Conflict where it has not failed."""
    row = db.session.get(MailMessage, message_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound()
    if row.state != "failed":
        raise Conflict(f"This message is {row.state}.")
    row.state, row.attempts, row.next_attempt_at = "queued", 0, now
    after_commit(partial(wake, row.id))
    return row


def _words(text: str) -> str:
    return text.replace("\0", "").strip()[:1000]


def _locked(message_id: int) -> MailMessage:
    return db.session.get_one(MailMessage, message_id, with_for_update=True, populate_existing=True)
