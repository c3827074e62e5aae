"""The schedule as plain data: name, interval, queue (design §5). jobs/schedule.py joins it with what each job does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from soulseer.domain import policies

QUEUES = ("billing", "sessions", "payments")
# The scheduler that holds this advisory lock leads. Any number that nothing else in this database locks.
LEADER_LOCK_KEY = 0x50_55_4C_53_45_45_52


@dataclass(frozen=True)
class JobArgument:
    """An argument that staff may give to a run: a positive whole number."""

    name: str
    label: str


@dataclass(frozen=True, kw_only=True)
class JobPlan:
    """``seconds`` gives the interval; ``supports_dry_run`` that a dry run tells what would be done; ``timeout`` in
    seconds, after which a worker gives a run up."""

    name: str
    seconds: Callable[[], int]
    queue: str
    purpose: str
    supports_dry_run: bool = False
    timeout: int = 600
    arguments: tuple[JobArgument, ...] = ()


PLANS: tuple[JobPlan, ...] = (
    JobPlan(
        name="billing_tick",
        seconds=lambda: policies.current().billing_tick_seconds,
        queue="billing",
        purpose="Charges every minute that is due, and books silence and low balance.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="expire_grace_periods",
        seconds=lambda: 30,
        queue="sessions",
        purpose="Ends rings and graces that are over, and pauses sessions whose participants fell silent.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="watch_connections",
        seconds=lambda: 30,
        queue="sessions",
        purpose="Acts on notifications of the calls that were left lying, and pauses readings whose call was left.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="remove_from_channels",
        seconds=lambda: 30,
        queue="sessions",
        purpose="Removes from their channel at Agora who stays there after paid time or the reading is over.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="tend_waiting",
        seconds=lambda: 15,
        queue="sessions",
        purpose="Calls the next in the queue of a reader who is free, and tells those who asked for it.",
        supports_dry_run=True,
        arguments=(JobArgument("reader", "Only the reader with this number"),),
    ),
    JobPlan(
        name="session_finalize",
        seconds=lambda: 60,
        queue="sessions",
        purpose="Checks ended sessions against the ledger and writes their receipts.",
        supports_dry_run=True,
        arguments=(JobArgument("session", "Only the reading session with this number"),),
    ),
    JobPlan(
        name="process_stripe_webhook",
        seconds=lambda: 30,
        queue="payments",
        purpose="Acts on stored Stripe events and resumes top-ups that were interrupted.",
        supports_dry_run=True,
        arguments=(JobArgument("event", "Only the webhook event with this number"),),
    ),
    JobPlan(
        name="pull_stripe_events",
        seconds=lambda: 900,
        queue="payments",
        purpose="Reads Stripe's list of events and stores those that no webhook brought.",
        supports_dry_run=True,
        arguments=(JobArgument("hours", "Look back at least so many hours (at most 720)"),),
    ),
    JobPlan(
        name="release_earnings",
        seconds=lambda: 3600,
        queue="payments",
        purpose="Makes earnings available whose hold is over; what a reader owes is kept from them first.",
        supports_dry_run=True,
        arguments=(JobArgument("reader", "Only the reader with this number"),),
    ),
    JobPlan(
        name="auto_reload",
        seconds=lambda: 30,
        queue="payments",
        purpose="Tops up wallets that fell below what their owners set, and has Stripe forget cards that were removed.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="send_mail",
        seconds=lambda: 30,
        queue="payments",
        purpose="Sends the mail that is queued, and offers again what the mail server did not take.",
        supports_dry_run=True,
        arguments=(JobArgument("message", "Only the message with this number"),),
    ),
    JobPlan(
        name="expire_promotions",
        seconds=lambda: 3_600,
        queue="payments",
        purpose="Books off promotional credit that has expired, and tells people of what expires within three days.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="reconcile",
        seconds=lambda: 86_400,
        queue="payments",
        purpose="Compares the books with Stripe's own list, books its fees, and tells every difference.",
        supports_dry_run=True,
        timeout=3600,
        arguments=(
            JobArgument("days", "Read Stripe's list again so many days back, and compare all there is"),
            JobArgument("difference", "Ask Stripe again about the difference with this number first"),
        ),
    ),
    JobPlan(
        name="check_ledger",
        seconds=lambda: 3600,
        queue="payments",
        purpose="Checks every invariant of the books; fails while anything is wrong or an alert is open.",
        supports_dry_run=True,
        timeout=3600,
    ),
    JobPlan(
        name="weekly_payouts",
        seconds=lambda: 604_800,
        queue="payments",
        purpose="Begins a payout to every reader above the minimum, on Thursdays.",
        supports_dry_run=True,
        timeout=3600,
    ),
    JobPlan(
        name="send_payouts",
        seconds=lambda: 60,
        queue="payments",
        purpose="Sends payouts that are open, and asks Stripe about readers' accounts.",
        supports_dry_run=True,
        arguments=(JobArgument("payout", "Only the payout with this number"),),
    ),
    JobPlan(
        name="check_subscriptions",
        seconds=lambda: 300,
        queue="payments",
        purpose="Asks Stripe about subscriptions that are due, ends graces, and resumes orders that were interrupted.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="send_refunds",
        seconds=lambda: 60,
        queue="payments",
        purpose="Sends refunds to the card, and asks Stripe about those whose outcome was not told.",
        supports_dry_run=True,
        arguments=(JobArgument("refund", "Only the refund with this number"),),
    ),
    JobPlan(
        name="settle_disputes",
        seconds=lambda: 60,
        queue="payments",
        purpose="Hands answers to banks over, ends readings of clients who may not spend, pays debts from wallets.",
        supports_dry_run=True,
        arguments=(JobArgument("response", "Only the answer with this number"),),
    ),
    JobPlan(
        name="chain_audit",
        seconds=lambda: 60,
        queue="sessions",
        purpose="Chains the audit's new entries by their hashes.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="close_lost_runs",
        seconds=lambda: 300,
        queue="sessions",
        purpose="Says of runs whose worker was killed that they are over.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="sweep_files",
        seconds=lambda: 3_600,
        queue="sessions",
        purpose="Deletes files whose upload was begun and never confirmed.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="watch_papers",
        seconds=lambda: 3_600,
        queue="sessions",
        purpose="Warns readers of papers that run out, and closes their gate after the last day.",
        supports_dry_run=True,
        arguments=(JobArgument("reader", "Only the reader with this number"),),
    ),
    JobPlan(
        name="lift_suspensions",
        seconds=lambda: 300,
        queue="sessions",
        purpose="Lifts suspensions whose last day is over.",
        supports_dry_run=True,
    ),
    JobPlan(
        name="count_days",
        seconds=lambda: 3_600,
        queue="payments",
        purpose="Counts what each day came to, for the trends on the front page, and checks what was counted before.",
        supports_dry_run=True,
        arguments=(JobArgument("days", "Count the last so many days anew (at most 3660)"),),
    ),
    JobPlan(
        name="forget_expired",
        seconds=lambda: 86_400,
        queue="sessions",
        purpose="Deletes answers kept under Idempotency-Keys for 30 days, measurements of calls for 400; never anything with money.",
        supports_dry_run=True,
    ),
)
PLAN_BY_NAME = {plan.name: plan for plan in PLANS}


def slot_at(plan: JobPlan, instant: datetime) -> datetime:
    """The slot that ``instant`` falls in: slots are whole multiples of the interval since 1970, so that every
    scheduler names the same ones."""
    seconds = plan.seconds()
    return datetime.fromtimestamp(int(instant.timestamp()) // seconds * seconds, UTC)


def slot_name(slot: datetime) -> str:
    """As it stands in ids: letters and digits only."""
    return slot.strftime("%Y%m%dT%H%M%SZ")


def slot_of(name: str | None) -> datetime | None:
    """The instant of a slot's name; None where it is no slot of the schedule."""
    try:
        return datetime.strptime(name or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def job_id(plan: JobPlan, slot: datetime) -> str:
    """The id under which a slot is queued: two leaders in a split second cannot queue it twice."""
    return f"{plan.name}-{slot_name(slot)}"
