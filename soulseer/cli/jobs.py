"""flask jobs worker | scheduler | list | run"""

import json
from datetime import UTC, datetime
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from soulseer.jobs import runner, worker
from soulseer.jobs.context import JobArgumentError
from soulseer.jobs.schedule import JOBS, slot_at
from soulseer.jobs.scheduler import Scheduler
from soulseer.services import job_status

group = AppGroup("jobs", help="The schedule, its processes and its runs.")


@group.command("worker")
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
def worker_command(burst: bool) -> None:
    """Run jobs from the queues until told to stop."""
    worker.run(burst=burst)


@group.command("scheduler")
def scheduler_command() -> None:
    """Lead, or wait to lead, and enqueue what is due."""
    Scheduler(current_app.extensions["settings"].database_url).run()


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """The schedule, the last run of each job, and the leader."""
    now = datetime.now(UTC)
    rows = [_row(entry, now) for entry in job_status.statuses()]
    leader = job_status.leader()
    if as_json:
        click.echo(json.dumps({"leader": leader, "jobs": rows}))
        return
    click.echo(f"leader: {leader or 'none'}")
    for row in rows:
        last = row["last_run"]
        said = f"{last['outcome']} at {last['started_at']}" if last else "never run"
        click.echo(f"{row['name']:<24} every {row['seconds']:>4} s  {row['queue']:<9} {said}")


def _row(entry: job_status.JobStatus, now: datetime) -> dict[str, Any]:
    run = entry.last_run
    return {
        "name": entry.job.name,
        "seconds": entry.job.seconds(),
        "queue": entry.job.queue,
        "purpose": entry.job.purpose,
        "slot": slot_at(entry.job, now).isoformat(),
        "last_run": run
        and {
            "run_id": run.id,
            "slot": run.slot,
            "started_at": run.started_at.isoformat(),
            "finished_at": run.finished_at and run.finished_at.isoformat(),
            "outcome": run.outcome,
            "counts": run.counts,
            "error": run.error,
        },
    }


@group.command("run")
@click.argument("name")
@click.option("--now", "now_text", metavar="ISO8601", help="Set the business clock (not in production).")
@click.option(
    "--assume-present", is_flag=True, help="Move covered_until of active sessions to it (not in production)."
)
@click.option("--arg", "pairs", multiple=True, metavar="K=V", help="An argument of the job; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the counts.")
def run_command(
    name: str,
    now_text: str | None,
    assume_present: bool,
    pairs: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run one job in this process; its counts are JSON on the last line."""
    if (now_text or assume_present) and current_app.extensions["settings"].production:
        raise click.UsageError("--now and --assume-present are refused in production")
    job = JOBS.get(name)
    if job is None:
        raise click.UsageError(f"no job {name!r}; there are: {', '.join(sorted(JOBS))}")
    if dry_run and not job.supports_dry_run:
        raise click.UsageError(f"{name} has no dry run")
    request = runner.Request(
        name,
        arguments=_arguments(pairs),
        dry_run=dry_run,
        assume_present=assume_present,
        now=_instant(now_text),
    )
    try:
        counts = runner.run(request)
    except JobArgumentError as error:
        raise click.UsageError(str(error)) from None
    except runner.RunFailed as error:
        click.echo(json.dumps(error.counts))
        raise SystemExit(1) from None
    if not as_json:
        click.echo(f"{name}: {'would do' if dry_run else 'done'}")
    click.echo(json.dumps(counts))


def _arguments(pairs: tuple[str, ...]) -> dict[str, str]:
    arguments = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise click.UsageError(f"--arg takes K=V, not {pair!r}")
        arguments[key] = value
    return arguments


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--now takes an ISO 8601 instant, not {text!r}") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
