"""Replay by hand: an event of Stripe that was not acted on is put back as if it had just come."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select

from soulseer.db import after_commit, db
from soulseer.domain.errors import Conflict, InvalidInput, NotFound
from soulseer.models.payments import WebhookEvent
from soulseer.services import audit, webhooks
from soulseer.services.console_money_in import webhook_conditions

# What was processed is done; what was received is due anyway.
REPLAYABLE = ("failed", "quarantined", "ignored")
# What may be given up for good.
ASIDE = ("failed", "quarantined")
MOST_AT_ONCE = 500


def replay(event_row_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Have the event acted on again, with all its attempts before it. Raises NotFound, Conflict."""
    row = _locked(event_row_id)
    if row.vendor != webhooks.VENDOR or row.status not in REPLAYABLE:
        raise Conflict(f"Event {event_row_id} is {row.status}; it is not replayed.")
    _put_back(row, actor_id, reason, now)
    after_commit(partial(webhooks.wake, row.id))


def set_aside(event_row_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Decide that nothing is done about an event that is quarantined or failed: it is ignored, and says why. It can still be
    replayed. Raises NotFound, Conflict."""
    row = _locked(event_row_id)
    if row.status not in ASIDE:
        raise Conflict(
            f"Event {event_row_id} is {row.status}; only what is quarantined or failed is set aside."
        )
    _note("set_aside", row, actor_id, reason, now)
    row.status, row.processed_at, row.next_attempt_at = "ignored", now, None


def replay_all(criteria: Mapping[str, Any], actor_id: int, reason: str, now: datetime) -> tuple[int, bool]:
    """Replay the events that a list narrowed by ``criteria`` (as in console_money_in.webhooks) shows, oldest first.

    Gives how many, and whether there are more than MOST_AT_ONCE. Raises InvalidInput without a status that can be
    replayed.
    """
    status = criteria.get("status")
    if status not in REPLAYABLE:
        raise InvalidInput("status", f"Narrow the list to one status first: {', '.join(REPLAYABLE)}.")
    rows = db.session.scalars(
        select(WebhookEvent)
        .where(*webhook_conditions(**criteria), WebhookEvent.vendor == webhooks.VENDOR)
        .order_by(WebhookEvent.id)
        .limit(MOST_AT_ONCE + 1)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows[:MOST_AT_ONCE]:
        _put_back(row, actor_id, reason, now)
    if rows:
        after_commit(partial(webhooks.wake, rows[0].id))
    return min(len(rows), MOST_AT_ONCE), len(rows) > MOST_AT_ONCE


def _locked(event_row_id: int) -> WebhookEvent:
    row: WebhookEvent | None = db.session.scalar(
        select(WebhookEvent)
        .where(WebhookEvent.id == event_row_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound(f"There is no webhook event {event_row_id}.")
    return row


def _note(deed: str, row: WebhookEvent, actor_id: int, reason: str, now: datetime) -> None:
    """Write down what is done with an event, and what it was before; call it first."""
    audit.record(
        f"webhook_event.{deed}",
        "webhook_event",
        row.id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"event": row.event_id, "was": row.status, "attempts": row.attempts, "said": row.error or ""},
    )


def _put_back(row: WebhookEvent, actor_id: int, reason: str, now: datetime) -> None:
    _note("replayed", row, actor_id, reason, now)
    row.status, row.processed_at, row.error = "received", None, None
    row.attempts, row.next_attempt_at = 0, now
