"""What changed, for the audit: the columns of the thing that an entry is about, before and after, taken from the unit of
work. Its own row only; what is written set-wise (SQL over many rows) is told by the entry's details."""

import enum
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from soulseer.db import db
from soulseer.models.disputes import Dispute
from soulseer.models.ledger import LedgerAlert
from soulseer.models.moderation import ModerationCase
from soulseer.models.onboarding import ReaderApplication
from soulseer.models.operations import AuditEntry
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.models.payouts import Payout, PayoutAccount
from soulseer.models.people import Person
from soulseer.models.promotions import PromotionalCredit
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.models.reconciliation import ReconciliationDifference
from soulseer.models.refunds import Refund
from soulseer.models.subscriptions import Subscription
from soulseer.models.switches import BillingStop
from soulseer.services import own_account

# By the audit's name of a thing: its table.
THINGS: Mapping[str, Any] = {
    "application": ReaderApplication,
    "billing_stop": BillingStop,
    "dispute": Dispute,
    "ledger_alert": LedgerAlert,
    "moderation_case": ModerationCase,
    "payout": Payout,
    "payout_account": PayoutAccount,
    "person": Person,
    "promotional_credit": PromotionalCredit,
    "reader": ReaderProfile,
    "reading_session": ReadingSession,
    "reconciliation_difference": ReconciliationDifference,
    "refund": Refund,
    "subscription": Subscription,
    "top_up": TopUp,
    "webhook_event": WebhookEvent,
}
# Never copied: what somebody must be able to have erased, and what is only bookkeeping of ours.
LEFT_OUT = frozenset(
    {
        "about", "agreement_address", "biography", "birth_date", "country", "email", "headline", "legal_name", "plan",
        "proposal", "sample", "specialties", "payload", "rank", "next_check_at", "next_attempt_at",
    }
)  # fmt: skip
# Whom a row is about: the first of these that it has; it concerns all of them.
WHOM = ("person_id", "client_id", "author_id", "owner_id", "reader_id")
LONGEST = 500
_CHANGES = "audit_changes"


def listen() -> None:
    """Have every flush look; once for the process, however often it is called."""
    for name, does in (("before_flush", _look), ("after_commit", _forget), ("after_soft_rollback", _forget)):
        if not event.contains(db.session, name, does):
            event.listen(db.session, name, does)


def _forget(session: Session, *_: Any) -> None:
    session.info.pop(_CHANGES, None)


def _look(session: Session, *_: Any) -> None:
    kept: dict[Any, dict[str, list[Any]]] = session.info.setdefault(_CHANGES, {})
    wanted = tuple(THINGS.values())
    for row in session.dirty:
        if isinstance(row, wanted):
            _note(kept.setdefault(inspect(row).identity_key, {}), row)
    for entry in session.new:
        if isinstance(entry, AuditEntry) and entry.object_type in THINGS:
            _fill(session, entry, kept)


def _note(changes: dict[str, list[Any]], row: Any) -> None:
    state = inspect(row)
    for column in state.mapper.column_attrs:
        history = state.attrs[column.key].history
        if column.key in LEFT_OUT or not history.has_changes():
            continue
        old, new = (_said(values[0]) if values else None for values in (history.deleted, history.added))
        # The oldest value of the transaction, the newest of this flush.
        changes.setdefault(column.key, [old, new])[1] = new


def _fill(session: Session, entry: AuditEntry, kept: Mapping[Any, dict[str, list[Any]]]) -> None:
    number = entry.object_id
    if not (number.isascii() and number.isdigit()):
        return
    if entry.actor_id is not None and own_account.is_watched(session, entry):
        own_account.refuse(entry.actor_id, whom_it_concerns(session, entry.object_type, int(number)))
    key = inspect(THINGS[entry.object_type]).identity_key_from_primary_key((int(number),))
    changed = {name: pair for name, pair in kept.get(key, {}).items() if pair[0] != pair[1]}
    if changed and entry.before is None and entry.after is None:
        entry.before = {name: pair[0] for name, pair in changed.items()}
        entry.after = {name: pair[1] for name, pair in changed.items()}
    if entry.subject_id is None:
        entry.subject_id = int(number) if entry.object_type in ("person", "reader") else _whom(session, key)


def whom_it_concerns(session: Session, object_type: str, number: int) -> set[int]:
    """Everybody whom the thing concerns, of a reading both sides; read where it was not yet."""
    with session.no_autoflush:
        row = session.get(THINGS[object_type], number)
        reading = getattr(row, "reading_session_id", None)
        rows = [row, session.get(ReadingSession, reading) if reading else None]
    found = {getattr(each, name, None) for each in rows for name in WHOM}
    found.add(number if object_type in ("person", "reader") else None)
    return {each for each in found if each is not None}


def _whom(session: Session, key: Any) -> int | None:
    row = session.identity_map.get(key)
    loaded = {} if row is None else inspect(row).dict
    return next((loaded[name] for name in WHOM if loaded.get(name) is not None), None)


def _said(value: Any) -> Any:
    """A column's value as JSON holds it: amounts and instants as strings."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    return value[:LONGEST] if isinstance(value, str) else value
