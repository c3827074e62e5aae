"""The front page of the back office: what matters now, each with its number and the age of its oldest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, func, literal, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.errors import QueueUnavailable
from soulseer.domain.onboarding import Stage
from soulseer.domain.schedule import QUEUES
from soulseer.gateways.queue import WorkerState
from soulseer.models.disputes import Dispute
from soulseer.models.ledger import LedgerAlert
from soulseer.models.moderation import ModerationCase
from soulseer.models.onboarding import ReaderApplication
from soulseer.models.operations import JobRun
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.models.payouts import Payout
from soulseer.models.readings import ReadingSession
from soulseer.models.reconciliation import ReconciliationDifference
from soulseer.models.refunds import Refund
from soulseer.models.switches import BillingStop
from soulseer.services import billing_stops, console_trends, event_pulls, job_status
from soulseer.services.console import day_start
from soulseer.services.console_trends import Trends
from soulseer.services.job_status import JobStatus

FAILED_WITHIN = timedelta(hours=24)
PAYOUTS_WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class Waiting:
    """How many there are, and since when the oldest waits (UTC; None where there are none)."""

    count: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True)
class Duty:
    """Something that waits for a person: the branch of ``counts`` that tells of it, and the list (a page of the console,
    narrowed by ``filters``) where it is done."""

    name: str
    label: str
    page: str
    filters: Mapping[str, str]


DUTIES = (
    Duty("applications", "Applications", "applications", {}),
    Duty("cases", "Cases of flags", "cases", {}),
    Duty("refunds", "Refunds to approve", "refunds", {"state": "requested"}),
    Duty("alerts", "Ledger alerts", "alerts", {"status": "open"}),
    Duty("differences", "Differences with Stripe", "differences", {"state": "open"}),
    Duty("disputes", "Disputes to answer", "disputes", {"state": "needs_response"}),
    Duty("payouts", "Payouts failed, 30 days", "payouts", {"state": "failed"}),
    Duty("ended", "Ended, not finalized", "sessions", {"state": "ended"}),
    Duty("quarantined", "Events quarantined", "webhooks", {"status": "quarantined"}),
    Duty("failed", "Events failed", "webhooks", {"status": "failed"}),
    Duty("failed_runs", "Runs failed, 24 h", "runs", {"outcome": "failed"}),
)


@dataclass(frozen=True)
class TopUps:
    """Dollars put in since midnight UTC."""

    amount: Decimal
    count: int


@dataclass(frozen=True)
class Queues:
    """None where Redis does not answer. ``oldest``: since when the first in each queue waits, UTC."""

    lengths: Mapping[str, int] | None
    workers: list[WorkerState] | None
    oldest: Mapping[str, datetime | None] | None = None

    @property
    def waiting_since(self) -> datetime | None:
        """Since when the first of all queues waits."""
        return min((one for one in (self.oldest or {}).values() if one), default=None)

    @property
    def last_seen(self) -> datetime | None:
        """The newest sign of life of a worker."""
        return max((one.last_seen for one in self.workers or () if one.last_seen), default=None)


@dataclass(frozen=True)
class Inbox:
    """When the last event came (UTC; None: never), and until when Stripe's own list was read."""

    last_received: datetime | None
    covered_until: datetime | None


@dataclass(frozen=True)
class Now:
    """``counts`` by name: the states of sessions, the statuses of webhook events, ``top_ups``, and the names of DUTIES;
    ``duties`` those that this person's pages show."""

    counts: Mapping[str, Waiting]
    duties: list[tuple[Duty, Waiting]]
    top_ups: TopUps
    trends: Trends
    jobs: list[JobStatus]
    leader: str | None
    queues: Queues
    inbox: Inbox
    stop: BillingStop | None


def now(instant: datetime, may_see: Callable[[str], bool]) -> Now:
    """Everything the front page tells, as of ``instant`` (UTC), to a person whose pages ``may_see`` says. Nine statements, each
    by an index."""
    found = counts(instant)
    return Now(
        found,
        [(duty, found.get(duty.name, Waiting())) for duty in DUTIES if may_see(duty.page)],
        top_ups(instant),
        console_trends.trends(instant),
        job_status.statuses(),
        job_status.leader(),
        queues(),
        inbox(),
        billing_stops.standing(),
    )


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
            JobRun.discarded_at.is_(None),
            JobRun.started_at > instant - FAILED_WITHIN,
        ),
        _count(
            literal("differences"),
            ReconciliationDifference.first_seen_at,
            ReconciliationDifference.state == "open",
        ),
        _count(literal("cases"), ModerationCase.created_at, ModerationCase.state.in_(("open", "appealed"))),
        _count(literal("disputes"), Dispute.opened_at, Dispute.state == "needs_response"),
        _count(literal("top_ups"), TopUp.created_at, TopUp.state.in_(("created", "open"))),
        _count(
            literal("applications"),
            ReaderApplication.state_since,
            ReaderApplication.state.in_((Stage.SUBMITTED.value, Stage.IN_REVIEW.value)),
        ),
        _count(
            literal("refunds"),
            Refund.requested_at,
            Refund.state == "requested",
            Refund.needs_approval.is_(True),
        ),
        _count(
            literal("payouts"),
            Payout.failed_at,
            Payout.state == "failed",
            Payout.failed_at > instant - PAYOUTS_WITHIN,
        ),
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


def top_ups(instant: datetime) -> TopUps:
    """What was put in since midnight UTC; one statement."""
    since = day_start(instant.astimezone(UTC).date())
    amount, number = db.session.execute(
        select(func.sum(TopUp.amount), func.count()).where(TopUp.state == "paid", TopUp.paid_at >= since)
    ).one()
    return TopUps(amount or Decimal("0.00"), number)


def inbox() -> Inbox:
    """How the webhooks come; two statements."""
    newest = select(WebhookEvent.received_at).order_by(WebhookEvent.id.desc()).limit(1)
    return Inbox(db.session.scalar(newest), event_pulls.covered_until())


def queues() -> Queues:
    """Queue lengths, their oldest, and workers, from Redis."""
    queue = gateways.current().queue
    try:
        return Queues(queue.lengths(QUEUES), queue.workers(), queue.oldest(QUEUES))
    except QueueUnavailable:
        # The page itself says that Redis is away; all else on it comes from PostgreSQL.
        return Queues(None, None)
