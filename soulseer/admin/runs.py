"""Runs of jobs: who asked, how long, what came of it."""

import json
from typing import Any

from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer import gateways
from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice
from soulseer.admin.formats import DASH, badge, duration, link
from soulseer.domain.schedule import PLANS, QUEUES
from soulseer.models.operations import OUTCOMES
from soulseer.services import console_jobs, console_people, console_runs
from soulseer.services.console import Listed, Window

CHARGES = 20


def seconds(row: Any) -> Any:
    """How long a run took."""
    run = row.JobRun
    return duration(run.finished_at - run.started_at) if run.finished_at else DASH


def in_short(counts: dict[str, Any]) -> str:
    """What a run did, in one line: its numbers, but no lists and no noughts."""
    told = [
        f"{name} {value}" for name, value in counts.items() if value and not isinstance(value, list | dict)
    ]
    return ", ".join(told)


class RunsView(ListView):
    page = "runs"
    lead = "Each run of each job, newest first. Times are UTC."
    column_list = ("id", "job", "outcome", "asked_by", "started_at", "took", "did")
    column_labels = {"id": "Run", "asked_by": "Asked by", "started_at": "Started"}
    column_numeric = ("took",)
    column_formatters = {
        "id": lambda view, context, row, name: link("runs", row.id, row.id),
        "job": lambda view, context, row, name: (
            f"{row.JobRun.job}{' (dry run)' if row.JobRun.dry_run else ''}"
        ),
        "outcome": lambda view, context, row, name: (
            badge(row.JobRun.outcome) + (badge("discarded", "") if row.JobRun.discarded_at else "")
        ),
        "asked_by": lambda view, context, row, name: row.asked_by or "schedule",
        "started_at": lambda view, context, row, name: row.JobRun.started_at,
        "took": lambda view, context, row, name: seconds(row),
        "did": lambda view, context, row, name: in_short(row.JobRun.counts) or DASH,
    }
    column_filters = (
        Choice("job", "Job", [plan.name for plan in PLANS]),
        Choice("outcome", "Outcome", OUTCOMES),
        Choice("asked", "Asked by", ("staff", "schedule")),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_jobs.runs(window, **criteria)

    @expose("/<int:id>/retry/", methods=("POST",))
    def retry(self, id: int) -> ResponseReturnValue:
        actor = self.actor("retry_run")
        # Nothing is recorded that nobody could be told of.
        gateways.current().queue.lengths(QUEUES)

        def deed(reason: str, now: Any) -> str:
            _, new = console_runs.retry(id, actor, reason, now)
            return "It was asked for again." if new else "It had been asked for again; it is not run twice."

        return self.change(
            deed, lambda: self.show(id), self.get_url("admin_jobs.asked", key=console_runs.key_of_retry(id))
        )

    @expose("/<int:id>/discard/", methods=("POST",))
    def discard(self, id: int) -> ResponseReturnValue:
        actor = self.actor("discard_run")

        def deed(reason: str, now: Any) -> str:
            console_runs.discard(id, actor, reason, now)
            return f"Run {id} waits for nobody any more."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    def show(self, id: int) -> str:
        found = console_jobs.run(id)
        run = found.JobRun
        charges = []
        if run.job == "billing_tick" and not run.dry_run:
            charges = console_jobs.charges_of(id, run.started_at, CHARGES)
        return self.render(
            "admin/run.html",
            found=found,
            took=seconds(found),
            numbers={name: value for name, value in run.counts.items() if not isinstance(value, list | dict)},
            lists={
                name: json.dumps(value, indent=1, ensure_ascii=False)
                for name, value in run.counts.items()
                if isinstance(value, list | dict)
            },
            charges=charges,
            transactions=console_runs.transactions_of(id),
            retried=console_jobs.was_asked(console_runs.key_of_retry(id)) and console_runs.key_of_retry(id),
            audit=console_people.audit_of("job_run", id),
        )
