"""Sends what is queued: take a message (a transaction), hand it over (outside any), record (a transaction)."""

from collections import Counter
from functools import partial
from typing import Any

from soulseer import gateways
from soulseer.db import transaction
from soulseer.gateways.mail import MailRefused, MailUnavailable
from soulseer.jobs import sweeping
from soulseer.jobs.context import JobContext, awoken, whole_number
from soulseer.services import mail


def run(context: JobContext) -> dict[str, Any]:
    """Send the message of the row named by the argument ``message``; without it, all that are due.

    Gives counts by what became of them: sent, later (offered again), failed, dropped. Where no mail server is set, what
    is queued waits.
    """
    context = awoken(context, "send_mail")
    if context.dry_run:
        return {"dry_run": True, "messages": mail.due(context.now)}
    if not gateways.current().mail.configured:
        return {"off": 1}
    wanted = whole_number(context, "message")
    if wanted is not None:
        return {outcome: 1} if (outcome := send_one(context, wanted)) is not None else {}
    counts: Counter[str] = Counter()
    if not sweeping.each(partial(send_one, context), counts):
        mail.wake(f"{context.run_id}-rest")
    return dict(counts)


def send_one(context: JobContext, message_id: int | None = None) -> str | None:
    """Send one message; what became of it, None where there was none to take."""
    with transaction():
        claimed = mail.claim(context.now, message_id)
    if claimed is None or claimed.letter is None:
        return None if claimed is None else claimed.state
    try:
        gateways.current().mail.send(claimed.letter)
    except (MailUnavailable, MailRefused) as error:
        with transaction():
            state = mail.note_failure(
                claimed.message_id, error.detail, context.now, for_good=isinstance(error, MailRefused)
            )
        return "later" if state == "queued" else state
    with transaction():
        return mail.note_sent(claimed.message_id, context.now)
