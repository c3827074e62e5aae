"""Every minute that is due, set-wise, each batch a transaction of its own (design §4, rule 3)."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import policies
from soulseer.domain.readings import State
from soulseer.jobs.context import JobArgumentError, JobContext
from soulseer.jobs.settling import settle_each
from soulseer.jobs.sweeping import LONGEST_SECONDS
from soulseer.models.readings import ReadingSession
from soulseer.services import billing, billing_stops, board, promotion_spending

log = structlog.get_logger(__name__)

BATCH = 2_000
LOCK_TIMEOUT_MILLISECONDS = 200
TRIES = 4


@dataclass(frozen=True)
class Batch:
    """Sessions that are charged together; ``credited``: their clients hold promotional credit, which is spent first."""

    ids: Sequence[int]
    credited: bool = False


def run(context: JobContext) -> dict[str, Any]:
    """Charge all that is due at ``context.now``.

    A participant seen within the time-out covers whatever was due longer ago than the time-out; the others are found
    by one query to Redis and settled one by one. Argument ``part`` = ``1/2`` does every second block of sessions, from the first.
    """
    started = time.monotonic()
    timeout = policies.current().reading.presence_timeout
    part = _part(context)
    if context.assume_present:
        unseen: set[int] = set()
        cover = context.now
        if not context.dry_run:
            with transaction():
                billing.assume_present(context.now)
    else:
        unseen, _ = gateways.current().presence.unseen_since(context.now, timeout, active_ids())
        cover = context.now - timeout
    skip = sorted(unseen)
    board.show_again(context.now)
    if billing_stops.stopped():
        return _pause_all(context, _part(context), skip)
    if context.dry_run:
        return _plan(context, cover, skip)
    counts: dict[str, Any] = {"sessions": 0, "minutes": 0, "batches": 0, "retries": 0}
    amount = billing.Charged().amount
    left: list[int] = []
    with transaction():
        # Those that credit pays are batches of their own: the others are charged as if there were none.
        credited = promotion_spending.holders_due(cover, context.now, skip, part=part.part, parts=part.parts)
        batches = [Batch(ids) for ids in billing.due_batches(cover, BATCH, [*skip, *credited], part)]
    batches += [Batch(credited[at : at + BATCH], credited=True) for at in range(0, len(credited), BATCH)]
    for batch in batches:
        ids = batch.ids
        charged = _charge_batch(batch, cover, context, counts)
        all_paid = charged.sessions == len(ids)
        amount += charged.amount
        counts["minutes"] += charged.sessions
        while charged.still_due:
            charged = _charge_batch(batch, cover, context, counts)
            amount += charged.amount
            counts["minutes"] += charged.sessions
            all_paid = False
        if not all_paid:
            with transaction():
                left += billing.left_due(ids, cover)
    counts["sessions_left"] = len(left)
    counts |= settle_each([*left, *_still_active(skip)], context)
    counts["amount"] = str(amount)
    counts["seconds"] = round(time.monotonic() - started, 3)
    del counts["sessions"]
    return counts


def _part(context: JobContext) -> billing.Part:
    text = context.arguments.get("part", "1/1")
    part, _, parts = text.partition("/")
    if not (text.isascii() and part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts) <= 64):
        raise JobArgumentError(f"part must look like 1/2, not {text!r}")
    return billing.Part(int(part), int(parts))


def active_ids() -> Iterator[int]:
    """Ids of all active sessions, streamed."""
    yield from db.session.scalars(
        select(ReadingSession.id)
        .where(ReadingSession.state == State.ACTIVE.value)
        .execution_options(yield_per=10_000)
    )


def _still_active(ids: list[int]) -> list[int]:
    """Those of ``ids`` that are active: the silent are few, Redis may name sessions that have ended."""
    if not ids:
        return []
    return list(
        db.session.scalars(
            select(ReadingSession.id)
            .where(ReadingSession.id.in_(ids), ReadingSession.state == State.ACTIVE.value)
            .order_by(ReadingSession.id)
        )
    )


def _charge_batch(
    batch: Batch, cover: datetime, context: JobContext, counts: dict[str, Any], tries: int = TRIES
) -> billing.Charged:
    """One batch in one transaction. A session locked for long, a deadlock or a wallet emptied meanwhile rolls the
    batch back; it is tried again, then in halves, so that one bad row never stops the rest: only what fails by itself
    is left to be settled one by one."""
    ids = batch.ids
    for attempt in range(tries):
        timeout = LOCK_TIMEOUT_MILLISECONDS * (attempt + 1)
        try:
            with transaction():
                spent = (
                    promotion_spending.spend_on_due(ids, cover, context.now, timeout)
                    if batch.credited
                    else []
                )
                billing.prepare_batch(timeout)
                charged = billing.charge(
                    ids,
                    cover=cover,
                    due_before=cover,
                    now=context.now,
                    job_run_id=context.run_id,
                )
                promotion_spending.check_charged(spent)
            counts["batches"] += 1
        except (IntegrityError, DataError):
            log.exception("billing_batch_has_a_bad_row", first=ids[0], sessions=len(ids))
            break
        except (billing.WalletRace, promotion_spending.SpentForNothing, OperationalError) as error:
            if isinstance(error, OperationalError) and not _worth_another_try(error):
                raise
            counts["retries"] += 1
            log.info("billing_batch_retried", first=ids[0], sessions=len(ids), reason=type(error).__name__)
        else:
            return charged
    return _charge_halves(batch, cover, context, counts)


def _charge_halves(
    batch: Batch, cover: datetime, context: JobContext, counts: dict[str, Any]
) -> billing.Charged:
    """The two halves of a batch that failed, each once; nothing where it was a single session."""
    with transaction():
        ids = billing.left_due(batch.ids, cover)
    charged = billing.Charged()
    if len(ids) > 1:
        for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
            charged += _charge_batch(Batch(half, batch.credited), cover, context, counts, tries=1)
    return charged


def _worth_another_try(error: OperationalError) -> bool:
    # Lock not available, deadlock detected, serialization failure.
    return getattr(error.orig, "sqlstate", None) in ("55P03", "40P01", "40001")


def _pause_all(context: JobContext, part: billing.Part, unseen: list[int]) -> dict[str, Any]:
    """While all billing is stopped: nothing is charged, and readings whose paid time is over are paused by the house. What
    one run does not get to is the next one's."""
    due = sorted(
        {one for ids in billing.due_batches(context.now, BATCH, part=part) for one in ids}
        | set(_still_active(unseen))
    )
    told: dict[str, Any] = {"billing_stopped": True, "minutes": 0, "due": len(due)}
    if context.dry_run:
        return told | {"dry_run": True}
    over = time.monotonic() + LONGEST_SECONDS
    within = itertools.takewhile(lambda _: time.monotonic() < over, due)
    return told | settle_each(within, context)


def _plan(context: JobContext, cover: Any, skip: list[int]) -> dict[str, Any]:
    charges = billing.planned(cover, context.now, skip)
    return {
        "dry_run": True,
        "sessions": len(charges),
        "minutes": sum(charge["minutes"][1] - charge["minutes"][0] + 1 for charge in charges),
        "to_settle": len(_still_active(skip)),
        "charges": charges,
    }
