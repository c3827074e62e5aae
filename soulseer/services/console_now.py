"""The front page of the back office: what matters now, each with its number and the age of its oldest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, func, literal, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.errors import QueueUnavailable
from soulseer.domain.money import from_cents
from soulseer.domain.schedule import QUEUES
from soulseer.gateways.queue import WorkerState
from soulseer.models.disputes import Dispute
from soulseer.models.ledger import LedgerAlert, ReadingMinute
from soulseer.models.moderation import ModerationCase
from soulseer.models.operations import JobRun
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.models.readings import ReadingSession
from soulseer.models.reconciliation import ReconciliationDifference
from soulseer.services import job_status
from soulseer.services.console import day_start
from soulseer.services.job_status import JobStatus

FAILED_WITHIN = timedelta(hours=24)


@dataclass(frozen=True)
class Waiting:
    """How many there are, and since when the oldest waits (UTC; None where there are none)."""

    count: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True)
class Money:
    """Dollars since midnight UTC."""

    charged: Decimal
    minutes: int
    topped_up: Decimal
    top_ups: int


@dataclass(frozen=True)
class Queues:
    """None where Redis does not answer."""

    lengths: Mapping[str, int] | None
    workers: list[WorkerState] | None


@dataclass(frozen=True)
class Now:
    """``counts`` by name: the states of sessions, ``alerts``, the statuses of webhook events, ``failed_runs``,
    ``differences``, ``disputes``, ``cases``, ``top_ups``."""

    counts: Mapping[str, Waiting]
    money: Money
    jobs: list[JobStatus]
    leader: str | None
    queues: Queues


def now(instant: datetime) -> Now:
    """Everything the front page tells, as of ``instant`` (UTC). Five statements, each by an index."""
    return Now(counts(instant), money(instant), job_status.statuses(), job_status.leader(), queues())


def counts(instant: datetime) -> dict[str, Waiting]:
    """What lives or waits, by name; one statement."""
    state = ReadingSession.state
    # One branch for each partial index, with that index's own words.
    branches = [
        _count(state, ReadingSession.created_at, state == "active"),
        _count(state, ReadingSession.created_at, state.in_(("created", "waiting"))),
        _count(state, ReadingSession.created_at, state.in_(("paused", "reconnecting"))),
        _count(state, ReadingSession.ended_at, state == "ended"),
        _count(literal("alerts"), LedgerAlert.created_at, LedgerAlert.resolved_at.is_(None)),
        _count(
            WebhookEvent.status, WebhookEvent.received_at, WebhookEvent.status.in_(("received", "failed"))
        ),
        _count(WebhookEvent.status, WebhookEvent.received_at, WebhookEvent.status == "quarantined"),
        _count(
            literal("failed_runs"),
            JobRun.started_at,
            JobRun.outcome == "failed",
            JobRun.started_at > instant - FAILED_WITHIN,
        ),
        _count(
            literal("differences"),
            ReconciliationDifference.first_seen_at,
            ReconciliationDifference.state == "open",
        ),
        _count(
            literal("cases"), ModerationCase.created_at, ModerationCase.state.in_(("open", "appealed"))
        ),
        _count(literal("disputes"), Dispute.opened_at, Dispute.state == "needs_response"),
        _count(literal("top_ups"), TopUp.created_at, TopUp.state.in_(("created", "open"))),
    ]
    rows = db.session.execute(union_all(*branches))
    return {row.name: Waiting(row.count_, row.oldest) for row in rows if row.count_}


def _count(
    name: ColumnElement[str] | InstrumentedAttribute[str],
    since: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
    *where: ColumnElement[bool],
) -> Select:
    query = select(name.label("name"), func.count().label("count_"), func.min(since).label("oldest")).where(
        *where
    )
    return query.group_by(name) if isinstance(name, InstrumentedAttribute) else query


def money(instant: datetime) -> Money:
    """What was charged and put in since midnight UTC; two statements."""
    since = day_start(instant.astimezone(UTC).date())
    cents, minutes = db.session.execute(
        select(func.coalesce(func.sum(ReadingMinute.amount_cents), 0), func.count()).where(
            ReadingMinute.charged_at >= since
        )
    ).one()
    amount, top_ups = db.session.execute(
        select(func.sum(TopUp.amount), func.count()).where(TopUp.state == "paid", TopUp.paid_at >= since)
    ).one()
    return Money(from_cents(int(cents)), minutes, amount or Decimal("0.00"), top_ups)


def queues() -> Queues:
    """Queue lengths and workers, from Redis."""
    queue = gateways.current().queue
    try:
        return Queues(queue.lengths(QUEUES), queue.workers())
    except QueueUnavailable:
        # The page itself says that Redis is away; all else on it comes from PostgreSQL.
        return Queues(None, None)
