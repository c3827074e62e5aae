"""The schedule with what each job does: the data of domain/schedule.py joined with the functions of this room."""

from dataclasses import dataclass

from soulseer.domain.schedule import PLANS, QUEUES, JobPlan, job_id, slot_at, slot_name
from soulseer.jobs import (
    auto_reload,
    billing_tick,
    chain_audit,
    check_ledger,
    check_subscriptions,
    close_lost_runs,
    count_days,
    expire_grace_periods,
    expire_promotions,
    forget_expired,
    lift_suspensions,
    process_stripe_webhook,
    pull_stripe_events,
    reconcile,
    release_earnings,
    remove_from_channels,
    send_mail,
    send_payouts,
    send_refunds,
    session_finalize,
    settle_disputes,
    sweep_files,
    tend_waiting,
    watch_connections,
    watch_papers,
    weekly_payouts,
)
from soulseer.jobs.context import Job

__all__ = ["JOBS", "QUEUES", "SCHEDULE", "ScheduledJob", "job_id", "slot_at", "slot_name"]

RUNS: dict[str, Job] = {
    "billing_tick": billing_tick.run,
    "expire_grace_periods": expire_grace_periods.run,
    "expire_promotions": expire_promotions.run,
    "session_finalize": session_finalize.run,
    "tend_waiting": tend_waiting.run,
    "watch_connections": watch_connections.run,
    "remove_from_channels": remove_from_channels.run,
    "process_stripe_webhook": process_stripe_webhook.run,
    "pull_stripe_events": pull_stripe_events.run,
    "release_earnings": release_earnings.run,
    "weekly_payouts": weekly_payouts.run,
    "send_payouts": send_payouts.run,
    "auto_reload": auto_reload.run,
    "send_mail": send_mail.run,
    "reconcile": reconcile.run,
    "check_ledger": check_ledger.run,
    "check_subscriptions": check_subscriptions.run,
    "send_refunds": send_refunds.run,
    "settle_disputes": settle_disputes.run,
    "chain_audit": chain_audit.run,
    "close_lost_runs": close_lost_runs.run,
    "sweep_files": sweep_files.run,
    "watch_papers": watch_papers.run,
    "count_days": count_days.run,
    "lift_suspensions": lift_suspensions.run,
    "forget_expired": forget_expired.run,
}


@dataclass(frozen=True, kw_only=True)
class ScheduledJob(JobPlan):
    """A plan and the function that does it."""

    run: Job


# A plan without its function is a KeyError at the start of the process, not at the first slot.
SCHEDULE: tuple[ScheduledJob, ...] = tuple(ScheduledJob(**vars(plan), run=RUNS[plan.name]) for plan in PLANS)
JOBS = {job.name: job for job in SCHEDULE}
